"""Building an event: it refuses exactly the events that the platform would reject."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.event import read_event
from metering.meters import CATALOGUE
from metering.usage_event import UsageEvent as CountedEvent
from metering.usage_event import identity_member
from telephony_billing_producers import InvalidEventError
from telephony_billing_producers._event import UsageEvent, build_record
from tests.support.usage_event import usage_record

NOW = datetime(2026, 11, 22, 17, 30, 0, 250_000, tzinfo=UTC)


def event(**changes: Any) -> UsageEvent:
    """A valid event with some attributes changed."""
    valid: dict[str, Any] = {"meter": "sms.send", "account": "acme", "id": "m-1", "source": "/sms", "time": NOW}
    return UsageEvent(**(valid | changes))


def test_a_record_is_a_cloudevent_keyed_by_its_account() -> None:
    """The value is structured JSON of CloudEvents 1.0; the key is the account, by which Kafka partitions."""
    paris = timezone(timedelta(hours=1))

    record = build_record(
        event(quantity=3, time=NOW.astimezone(paris), extra={"traceparent": "00-4b", "attempt": 2, "test": True}),
        NOW.timestamp(),
    )

    assert record.key == b"acme"
    assert json.loads(record.value) == {
        "specversion": "1.0",
        "id": "m-1",
        "source": "/sms",
        "type": "sms.send",
        "subject": "acme",
        "time": "2026-11-22T17:30:00.250Z",
        "data": {"quantity": 3},
        "traceparent": "00-4b",
        "attempt": 2,
        "test": True,
    }


WRITABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=9)


@given(
    name=WRITABLE,
    source=WRITABLE,
    extra=st.dictionaries(st.sampled_from(["a", "b2", "trace"]), st.one_of(WRITABLE, st.booleans())),
    micros=st.integers(0, 999_999),
)
def test_the_value_is_what_an_encoder_writes(name: str, source: str, extra: dict[str, Any], micros: int) -> None:
    """To the byte, whatever the texts hold: quotes, backslashes, separators of lines, letters of any script."""
    usage = event(id=name, source=source, quantity=micros, time=NOW.replace(microsecond=micros), extra=extra)
    attributes: dict[str, Any] = {"specversion": "1.0", "id": name, "source": source, "type": "sms.send"}
    attributes |= {"subject": "acme", "time": f"2026-11-22T17:30:00.{micros // 1000:03d}Z"}
    attributes |= {"data": {"quantity": micros}, **extra}

    record = build_record(usage, NOW.timestamp())

    assert record.value == json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("meter", [meter.name for meter in CATALOGUE])
def test_every_meter_of_the_catalogue_can_be_emitted(meter: str) -> None:
    """The producer's list of meters is the platform's own."""
    assert json.loads(build_record(event(meter=meter), NOW.timestamp()).value)["type"] == meter


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "i" * 256},
        {"source": "s" * 256},
        {"account": "a" * 128},
        {"account": "AZaz09_.:-"},
        {"quantity": 0},
        {"quantity": 1_000_000_000},
        {"id": 'Grüße 🙂 " \\ \u2028'},
        {"time": NOW + timedelta(minutes=5)},
        {"time": NOW - timedelta(days=34, milliseconds=-750)},
        {"extra": {"a": -(2**31), "b": 2**31 - 1, "c": ""}},
    ],
)
def test_the_bounds_themselves_are_allowed(changes: dict[str, Any]) -> None:
    """Each bound is inclusive, and the platform counts such an event."""
    record = build_record(event(**changes), NOW.timestamp())

    assert isinstance(read_event(record.value, int(NOW.timestamp() * 1000)), CountedEvent)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"meter": "sms.sent"}, "use one of sms.send"),
        ({"meter": ""}, "use one of"),
        ({"account": ""}, "account"),
        ({"account": "a" * 129}, "1 to 128"),
        ({"account": "two words"}, "account"),
        ({"account": "acme\n"}, "account"),
        ({"account": "{acme}"}, "account"),
        ({"account": "café"}, "account"),
        ({"account": 7}, "account"),
        ({"id": ""}, "id must be"),
        ({"id": 12}, "id must be"),
        ({"id": "i" * 257}, "257 characters"),
        ({"id": "a\x00b"}, "control character"),
        ({"id": "a\ud800"}, "control character"),
        ({"source": ""}, "source must be"),
        ({"source": "s" * 257}, "at most 256"),
        ({"source": "/sms\n"}, "control character"),
        ({"quantity": -1}, "quantity -1"),
        ({"quantity": 1_000_000_001}, "from 0 to 1000000000"),
        ({"quantity": True}, "quantity True"),
        ({"quantity": 2.5}, "quantity 2.5"),
        ({"quantity": float("nan")}, "quantity nan"),
        ({"quantity": float("inf")}, "quantity inf"),
        ({"quantity": "2"}, "quantity '2'"),
        ({"time": NOW.replace(tzinfo=None)}, "aware datetime"),
        ({"time": "2026-11-22T17:30:00Z"}, "aware datetime"),
        ({"time": NOW + timedelta(minutes=5, seconds=1)}, "5 minutes ahead"),
        ({"time": NOW - timedelta(days=34, seconds=1)}, "34 days ago"),
        ({"time": datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))}, "ahead"),
        ({"time": datetime.min.replace(tzinfo=timezone(timedelta(hours=12)))}, "days ago"),
        ({"extra": {"id": "other"}}, "already has"),
        ({"extra": {"data": "x"}}, "already has"),
        ({"extra": {"Trace": "x"}}, "a-z 0-9"),
        ({"extra": {"trace_id": "x"}}, "a-z 0-9"),
        ({"extra": {"x": 1.5}}, "32-bit int"),
        ({"extra": {"x": 2**31}}, "32-bit int"),
        ({"extra": {"x": None}}, "32-bit int"),
        ({"extra": {"x": "a\tb"}}, "control character"),
        ({"extra": {"x": "y" * 65_536}}, "at most 65536"),
    ],
)
def test_what_breaks_a_bound_is_refused_with_advice(changes: dict[str, Any], says: str) -> None:
    """The error is a ValueError and names the attribute, the bound and the way out."""
    with pytest.raises(InvalidEventError, match=re.escape(says)) as refusal:
        build_record(event(**changes), NOW.timestamp())

    assert isinstance(refusal.value, ValueError)


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
NEAR_A_BOUND = st.one_of(
    st.integers(-36 * 86_400_000, 600_000),
    st.integers(-2_000, 2_000).map(lambda ms: ms + 300_000),
    st.integers(-2_000, 2_000).map(lambda ms: ms - 34 * 86_400_000),
)
TEXTS = st.one_of(st.text(max_size=20), st.text(alphabet="aé🙂", min_size=250, max_size=260))


IDENTITIES = st.fixed_dictionaries(
    {
        "id": TEXTS,
        "source": TEXTS,
        "account": st.one_of(st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True), st.text(max_size=4)),
    }
)
QUANTITIES = st.one_of(
    st.integers(-2, 3),
    st.integers(10**9 - 2, 10**9 + 2),
    st.booleans(),
    st.sampled_from([1.0, 0.5, -0.0, 1e9, 1e9 + 1, 1e300, "1", None]),
)


@given(identity=IDENTITIES, quantity=QUANTITIES, shift_ms=NEAR_A_BOUND, zone=OFFSETS)
def test_the_producer_refuses_exactly_what_the_platform_rejects(
    identity: dict[str, str], quantity: Any, shift_ms: int, zone: timezone
) -> None:
    """The same attributes, sent without the producer's checks, are rejected if and only if the producer refuses."""
    happened = (NOW + timedelta(milliseconds=shift_ms)).astimezone(zone)
    value = usage_record(
        id=identity["id"],
        source=identity["source"],
        type="voice.ai",
        subject=identity["account"],
        time=happened.isoformat(timespec="milliseconds"),
        data={"quantity": quantity},
    )
    append_ms = int(NOW.timestamp() * 1000)
    verdict = read_event(value, append_ms)
    usage = event(meter="voice.ai", quantity=quantity, time=happened, **identity)

    if not isinstance(verdict, CountedEvent):
        with pytest.raises(InvalidEventError):
            build_record(usage, NOW.timestamp())
    else:
        record = build_record(usage, NOW.timestamp())
        assert read_event(record.value, append_ms) == verdict
        assert verdict.member == identity_member(identity["source"], identity["id"], "voice.ai", identity["account"])
        assert record.key == identity["account"].encode()
