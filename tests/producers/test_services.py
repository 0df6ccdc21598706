"""The services' facades: which meter, which id, and that a repetition is the same event."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from producers.emitter import UsageEmitter
from producers.event import InvalidEventError
from producers.numbers import NumberService
from producers.sms import SmsService
from producers.voice import VoiceService
from tests.producers.conftest import spooled

Emitted = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def emitter(start_emitter: Callable[..., UsageEmitter]) -> UsageEmitter:
    """An emitter that spools what it is given."""
    return start_emitter()


@pytest.fixture
def emitted(emitter: UsageEmitter, spool_directory: Path) -> Emitted:
    """Closes the emitter and gives what was emitted."""

    def read() -> list[dict[str, Any]]:
        emitter.close()
        return [json.loads(record.value) for record in spooled(spool_directory)]

    return read


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
        ("/sms", "sms.send:m-1"),
        ("/sms", "sms.receive:m-1"),
    ]


def test_one_call_can_be_several_actions(emitter: UsageEmitter, emitted: Emitted) -> None:
    """Inbound, outbound and AI-powered are counted each, once per call."""
    voice = VoiceService(emitter, source="/voice/eu-1")
    voice.outbound("acme", "c-1")
    voice.inbound("globex", "c-1")
    voice.ai("globex", "c-1")

    events = emitted()

    assert [event["type"] for event in events] == ["voice.outbound", "voice.inbound", "voice.ai"]
    assert len({(event["source"], event["id"]) for event in events}) == 3
    assert {event["data"]["quantity"] for event in events} == {1}
    assert {event["source"] for event in events} == {"/voice/eu-1"}


def test_a_repeated_report_is_the_same_event(emitter: UsageEmitter, emitted: Emitted) -> None:
    """A service that reports a call again after a crash makes a duplicate, not a second charge."""
    voice = VoiceService(emitter)
    for _ in range(2):
        voice.outbound("acme", "c-1", time=datetime.now(UTC).replace(microsecond=0))

    first, second = emitted()

    assert (first["source"], first["id"]) == (second["source"], second["id"])


def test_a_monthly_job_that_runs_twice_bills_once(emitter: UsageEmitter, emitted: Emitted) -> None:
    """The id is made of the account, the number and the month, whatever the day; next month is a new fee."""
    numbers = NumberService(emitter)
    numbers.monthly("acme", "+442071838750", date(2026, 11, 1))
    numbers.monthly("acme", "+442071838750", date(2026, 11, 30))
    numbers.monthly("acme", "+442071838750", date(2026, 12, 1))
    numbers.monthly("globex", "+442071838750", date(2026, 11, 1))

    events = emitted()

    assert [event["id"] for event in events] == [
        "acme:+442071838750:2026-11",
        "acme:+442071838750:2026-11",
        "acme:+442071838750:2026-12",
        "globex:+442071838750:2026-11",
    ]
    assert {event["type"] for event in events} == {"did.monthly"}


@pytest.mark.parametrize("number", ["442071838750", "+44 20 7183 8750", "+0123", "+1234567890123456", "", "+44\n"])
def test_a_number_has_one_spelling(emitter: UsageEmitter, number: str) -> None:
    """Two spellings of one number would be two fees, so only E.164 is taken."""
    with pytest.raises(InvalidEventError, match=r"E\.164"):
        NumberService(emitter).monthly("acme", number, date(2026, 11, 1))
