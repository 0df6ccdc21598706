"""The services' facades: which meter, which id, and that a repetition is the same event."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_billing_producers import InvalidEventError, NumberService, SmsService, UsageEmitter, VoiceService
from telephony_billing_producers._ids import joined_id
from tests.producers.conftest import spooled

NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)
Emitted = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def emitter(start_emitter: Callable[..., UsageEmitter]) -> UsageEmitter:
    """An emitter that spools all events."""
    return start_emitter(clock=NOW.timestamp)


@pytest.fixture
def emitted(emitter: UsageEmitter, spool_directory: Path) -> Emitted:
    """Closes the emitter. Returns the emitted events."""

    def read() -> list[dict[str, Any]]:
        emitter.close()
        return [json.loads(record.value) for record in spooled(spool_directory)]

    return read


def identity(event: dict[str, Any]) -> tuple[str, ...]:
    """The identity of an event, as the platform sees it."""
    return event["source"], event["id"], event["type"], event["subject"]


def test_an_sms_is_billed_to_sender_and_receiver(emitter: UsageEmitter, emitted: Emitted) -> None:
    """The two directions of one message are two events."""
    sms = SmsService(emitter)
    sms.sent("acme", "m-1")
    sms.received("globex", "m-1", quantity=2)

    events = emitted()

    assert [(event["type"], event["subject"], event["data"]["quantity"]) for event in events] == [
        ("sms.send", "acme", 1),
        ("sms.receive", "globex", 2),
    ]
    assert [(event["source"], event["id"]) for event in events] == [
        ("/sms", "m-1"),
        ("/sms", "m-1"),
    ]
    assert len(set(map(identity, events))) == 2


def test_one_call_can_be_several_actions(emitter: UsageEmitter, emitted: Emitted) -> None:
    """Inbound, outbound and AI-powered are counted each, once per call."""
    voice = VoiceService(emitter, source="/voice/eu-1")
    voice.outbound("acme", "c-1")
    voice.inbound("globex", "c-1")
    voice.ai("globex", "c-1")

    events = emitted()

    assert [event["type"] for event in events] == ["voice.outbound", "voice.inbound", "voice.ai"]
    assert {event["id"] for event in events} == {"c-1"}
    assert len(set(map(identity, events))) == 3
    assert {event["data"]["quantity"] for event in events} == {1}
    assert {event["source"] for event in events} == {"/voice/eu-1"}


def test_a_repeated_report_is_the_same_event(emitter: UsageEmitter, emitted: Emitted) -> None:
    """A service that reports a call again after a crash makes a duplicate, not a second charge."""
    voice = VoiceService(emitter)
    for _ in range(2):
        voice.outbound("acme", "c-1", time=NOW)

    first, second = emitted()

    assert identity(first) == identity(second)


@pytest.mark.parametrize("missing", [None, "", 7])
def test_an_action_has_an_id_of_its_own(emitter: UsageEmitter, missing: Any) -> None:
    """One that is made up would bill the action again whenever it is reported again; one for all would bill one."""
    for report in (SmsService(emitter).sent, SmsService(emitter).received, VoiceService(emitter).ai):
        with pytest.raises(InvalidEventError, match="id must be a text"):
            report("acme", missing)


def test_a_monthly_job_that_runs_twice_bills_once(emitter: UsageEmitter, emitted: Emitted) -> None:
    """The id is made of the number and the month, whatever the day; next month, or another holder, is a new fee."""
    numbers = NumberService(emitter)
    numbers.monthly("acme", "+442071838750", date(2026, 11, 1))
    numbers.monthly("acme", "+442071838750", date(2026, 11, 30))
    numbers.monthly("acme", "+442071838750", date(2026, 12, 1))
    numbers.monthly("globex", "+442071838750", date(2026, 11, 1))

    events = emitted()

    assert [event["id"] for event in events] == [
        "+442071838750:2026-11",
        "+442071838750:2026-11",
        "+442071838750:2026-12",
        "+442071838750:2026-11",
    ]
    assert len(set(map(identity, events))) == 3
    assert {event["type"] for event in events} == {"did.monthly"}
    assert [event["time"] for event in events] == [f"2026-{month}-01T00:00:00.000Z" for month in (11, 11, 12, 11)]


@pytest.mark.parametrize(
    ("month", "time", "says"),
    [
        (date(2026, 12, 1), datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), "is not in 2026-12"),
        (date(2026, 11, 1), datetime(2026, 12, 1, tzinfo=UTC), "is not in 2026-11"),
        (date(2026, 12, 1), datetime(2026, 12, 2), "is not in 2026-12"),
        (date(2027, 1, 1), None, "ahead"),
        (date(2026, 10, 1), None, "34 days ago"),
    ],
)
def test_a_fee_belongs_into_its_month(emitter: UsageEmitter, month: date, time: datetime | None, says: str) -> None:
    """Not before it has begun, not when the platform may have forgotten an earlier run, never into another month."""
    with pytest.raises(InvalidEventError, match=says):
        NumberService(emitter).monthly("acme", "+442071838750", month, time=time)


@pytest.mark.parametrize("number", ["442071838750", "+44 20 7183 8750", "+0123", "+1234567890123456", "", "+44\n"])
def test_a_number_has_one_spelling(emitter: UsageEmitter, number: str) -> None:
    """Two spellings of one number would be two fees, so only E.164 is taken."""
    with pytest.raises(InvalidEventError, match=r"E\.164"):
        NumberService(emitter).monthly("acme", number, date(2026, 11, 1))


@pytest.mark.parametrize("month", ["2026-11", None, 11])
def test_a_month_is_a_date(emitter: UsageEmitter, month: Any) -> None:
    """The id is made of it."""
    with pytest.raises(InvalidEventError, match="is no date"):
        NumberService(emitter).monthly("acme", "+442071838750", month)


@given(st.lists(st.text("ab:%3A25", min_size=1, max_size=4), min_size=1, max_size=3), st.data())
def test_ids_of_several_parts_never_collide(parts: list[str], data: st.DataObject) -> None:
    """However their parts are written."""
    others = data.draw(st.lists(st.text("ab:%3A25", min_size=1, max_size=4), min_size=1, max_size=3))

    assert (joined_id(*parts) == joined_id(*others)) == (parts == others)


@pytest.mark.parametrize("part", ["", None, 7, "a\nb"])
def test_a_part_of_an_id_is_a_text(part: Any) -> None:
    """One that is missing would make one id of many actions."""
    with pytest.raises(InvalidEventError, match="a part of the id"):
        joined_id("call", part)
