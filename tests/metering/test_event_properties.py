"""The usage event, whatever comes."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.folds.dead_letters import dead_letter
from aggregator.folds.rerouting import rerouted_copy
from metering.content_mode import attributes_of
from metering.counting import Misplaced
from metering.event import read_event
from metering.meters import CATALOGUE
from metering.origin import Place, origin_of
from metering.reject import Reject, RejectReason
from metering.sources import source_of
from metering.usage_event import UsageEvent, identity_member
from ops.logs.dead_letters import event_attributes
from tests.metering import hostile
from tests.metering.events import NOON, NOON_MS, Record, attributes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=256)
NAMES = sorted({*attributes(), "data", "quantity", "extra"})


@settings(max_examples=300)
@given(hostile.RECORD_VALUES, hostile.headers(), st.sampled_from([0, NOON_MS, 2**62]) | st.integers(0, 2**63))
def test_any_bytes_with_any_headers_are_an_event_or_a_reject(value, headers, append_ms) -> None:
    """Nothing that a producer can write raises: one poisonous record would stop a shard for ever."""
    result = read_event(value, append_ms, headers)

    if isinstance(result, Reject):
        assert result.detail.encode()
        assert len(result.detail) < 1000
    else:
        assert (result.quantity, type(result.quantity)) == (min(max(result.quantity, 0), 10**9), int)
        assert -(2**63) <= result.member < 2**63
        assert -34 * 86_400_000 <= result.time * 1000 - append_ms <= 300_000
        read = attributes_of(value, headers)
        assert identity_member(*(read[name] for name in ("source", "id", "type", "subject"))) == result.member


@settings(max_examples=300)
@given(hostile.RECORD_VALUES, hostile.headers(), st.integers(0, 2**63))
def test_whatever_becomes_of_a_record_can_be_done_with_any(value, headers, append_ms) -> None:
    """Its dead letter, its copy, its source for the metrics, what operators see of it."""
    record = Record(7, value, append_ms, headers=headers)

    assert source_of(record).encode(errors="replace")
    assert dead_letter("dead", "usage", 1, record, Reject(RejectReason.EMPTY, "")).headers
    copy = rerouted_copy(Place("usage", 1), Misplaced(record, "acme", 2, 0), "dead")
    assert origin_of(copy.headers, append_ms, Place("usage", 2)) is not None
    assert len(event_attributes(value, headers)) == 2


@given(st.binary(max_size=400))
def test_any_bytes_are_an_event_or_a_reject(value) -> None:
    """Nothing that a producer can write raises: one poisonous record would stop a shard for ever."""
    assert isinstance(read_event(value, NOON_MS), UsageEvent | Reject)


@given(JSON)
def test_any_json_is_an_event_or_a_reject(value) -> None:
    """Python's encoder also writes NaN, Infinity and lone surrogates."""
    assert isinstance(read_event(json.dumps(value).encode(), NOON_MS), UsageEvent | Reject)


@given(st.dictionaries(st.sampled_from(NAMES), JSON | st.just({"quantity": -1}), max_size=4), st.integers(0, 2**53))
def test_an_event_with_any_attributes_replaced_is_an_event_or_a_reject(changes, append_ms) -> None:
    """At any append time; and the reject's detail can be a header."""
    result = read_event(json.dumps(attributes() | changes).encode(), append_ms)

    assert isinstance(result, UsageEvent) or result.detail.encode()


@given(st.data())
def test_an_event_with_some_bytes_overwritten_is_an_event_or_a_reject(data) -> None:
    """What a broken encoder or a flipped bit makes of a valid one."""
    value = bytearray(json.dumps(attributes(data={"quantity": 12})).encode())
    for at in data.draw(st.lists(st.integers(0, len(value) - 1), min_size=1, max_size=3)):
        value[at] = data.draw(st.integers(0, 255))

    assert isinstance(read_event(bytes(value), NOON_MS), UsageEvent | Reject)


@st.composite
def times(draw: st.DrawFn, second: int) -> str:
    """A Unix second in any form that RFC 3339 has for it."""
    minutes = draw(st.integers(-23 * 60 - 59, 23 * 60 + 59))
    local = datetime.fromtimestamp(second, UTC).astimezone(timezone(timedelta(minutes=minutes)))
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    fraction = draw(st.sampled_from(["", ".0", ".123456789", ".999"]))
    return f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{minutes // 60:02}:{minutes % 60:02}"


@given(
    data=st.data(),
    identity=st.tuples(TEXT, TEXT),
    meter=st.sampled_from(CATALOGUE),
    account=st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True),
    age=st.integers(-300, 34 * 86_400),
    quantity=st.integers(0, 10**9),
    extra=st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1).map(lambda text: f"x{text}"), st.text()),
)
def test_a_valid_event_is_read_back_exactly(*, data, identity, meter, account, age, quantity, extra) -> None:
    """Every part of it, in every form that its time may have, whether escaped or not."""
    source, event_id = identity
    time = data.draw(times(NOON - age))
    body = extra | attributes(
        id=event_id, source=source, type=meter.name, subject=account, time=time, data={"quantity": quantity}
    )

    member = identity_member(source, event_id, meter.name, account)
    expected = UsageEvent(member, account, meter.index, NOON - age, quantity)
    assert read_event(json.dumps(body).encode(), NOON_MS) == expected
    assert read_event(json.dumps(body, ensure_ascii=False).encode(), NOON_MS) == expected
