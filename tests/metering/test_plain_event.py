"""The quick way to read an event: it says the same as the careful one, or nothing."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metering.event import read_carefully
from metering.limits import MAX_RECORD_BYTES
from metering.plain_event import read_plain
from telephony_billing_producers._event import UsageEvent, build_record
from tests.metering import hostile
from tests.metering.events import ABSENT, NOON, NOON_MS, attributes, event, with_raw

OURS = UsageEvent(meter="sms.send", account="acme", id="1", source="/sms", time=datetime.fromtimestamp(NOON, UTC))
PLAIN_NAMES = [*attributes(), "data", "datacontenttype", "dataschema", "traceparent", "tracestate"]
DATA = [None, {}, {"quantity": 3}, {"quantity": 5.0}, {"quantity": True}, {"quantity": -0.0}, {"quantity": 10**9 + 1}]
TEXTS = hostile.TEXTS | st.sampled_from(
    [
        "2026-06-20T12:00:00.5z",
        "2026-06-20T12:00:00Z\n",
        "2026-06-20T12:00:00.٣Z",
        "\x7f",
        "\x80",
        "\xa0",
        "acme\n",
        "a b",
        "1.0",
        "sms.send",
    ]
)


@st.composite
def nearly_plain(draw: st.DrawFn) -> bytes:
    """An event as it is written plainly, with some attributes changed or doubled."""
    members = list(attributes(data=draw(st.sampled_from(DATA))).items())
    changed = st.tuples(st.sampled_from(PLAIN_NAMES), TEXTS | st.none() | st.sampled_from(DATA))
    members += draw(st.lists(changed, max_size=2))
    written = [
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=draw(st.booleans()))}"
        for name, value in draw(st.permutations(members))
    ]
    return f"{{{','.join(written)}}}".encode(errors="surrogatepass")


@settings(max_examples=500)
@given(nearly_plain() | hostile.RECORD_VALUES, st.sampled_from([0, NOON_MS, NOON_MS + 35 * 86_400_000]))
@example(with_raw('"id":"2"'), NOON_MS)
@example(with_raw('"data":{"quantity":2,"quantity":3}'), NOON_MS)
@example(with_raw('"data":{"quantity":1e2}'), NOON_MS)
@example(with_raw('"dataschema":"\\ud800"'), NOON_MS)
def test_what_is_read_quickly_is_read_carefully_to_the_same(value: bytes | None, append_ms: int) -> None:
    """Given any value that is no larger than a record may be."""
    if value is None or len(value) > MAX_RECORD_BYTES:
        return
    quickly = read_plain(value, append_ms)
    assert quickly is None or quickly == read_carefully(value, append_ms)


@pytest.mark.parametrize(
    "value",
    [
        build_record(OURS, NOON).value,
        event(),
        event(data=ABSENT),
        event(data=None),
        event(datacontenttype="application/json", traceparent="00-1-2-01"),
        event(time="2026-06-20T12:00:00.123456789Z"),
    ],
)
def test_what_services_write_is_read_quickly(value: bytes) -> None:
    """The producers' library first of all."""
    assert read_plain(value, NOON_MS) is not None


@pytest.mark.parametrize(
    "value",
    [
        event(id="\x7f"),
        event(extra=1),
        event(data={"quantity": 1, "number": "+49"}),
        b"{",
        event(time="2026-06-20T12:00:00+00:00"),
    ],
)
def test_everything_else_is_left_to_the_careful_way(value: bytes) -> None:
    """Whether it counts or not."""
    assert read_plain(value, NOON_MS) is None
