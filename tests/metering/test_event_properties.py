"""The usage event, whatever comes."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from metering.event import UsageEvent, identity_member, read_event
from metering.meters import CATALOGUE
from metering.reject import Reject
from tests.metering.events import NOON, NOON_MS, attributes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=256)
NAMES = sorted({*attributes(), "data", "quantity", "extra"})


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
    quantity=st.integers(1, 10**9),
    extra=st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1).map(lambda text: f"x{text}"), st.text()),
)
def test_a_valid_event_is_read_back_exactly(*, data, identity, meter, account, age, quantity, extra) -> None:
    """Every part of it, in every form that its time may have, whether escaped or not."""
    source, event_id = identity
    time = data.draw(times(NOON - age))
    body = extra | attributes(
        id=event_id, source=source, type=meter.name, subject=account, time=time, data={"quantity": quantity}
    )

    expected = UsageEvent(identity_member(source, event_id), account, meter.index, NOON - age, quantity)
    assert read_event(json.dumps(body).encode(), NOON_MS) == expected
    assert read_event(json.dumps(body, ensure_ascii=False).encode(), NOON_MS) == expected
