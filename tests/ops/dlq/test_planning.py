"""The fate of a letter in a redrive, by the parts of its original that exist."""

from dataclasses import replace

import pytest

from aggregator.folds.dead_letters import dead_letter
from metering.counting import LogRecord
from metering.reject import Reject, RejectReason
from ops.dlq.planning import Fate, Planned, Redrive, plan_letter
from ops.logs.dead_letters import DeadLetter, read_letter
from ops.logs.republish import MOST_BYTES
from tests.metering.events import NOON_MS, Record, event

RULES = Redrive(usage="usage.events", partitions=4, now_ms=NOON_MS)
MIB = 1024 * 1024


def lies_in_the_topic(original: LogRecord, reason: RejectReason) -> tuple[DeadLetter, Record]:
    """A record's dead letter, as it is read back."""
    written = dead_letter("usage.events.dlq", "usage.events", 3, original, Reject(reason, "why"))
    record = Record(0, written.value, NOON_MS, written.key, list(written.headers))
    letter = read_letter(0, record)
    assert letter is not None
    return letter, record


def planned(original: LogRecord, reason: RejectReason, rules: Redrive = RULES) -> Planned:
    """The plan for the letter."""
    return plan_letter(*lies_in_the_topic(original, reason), rules)


@pytest.mark.parametrize("force", [False, True])
def test_a_letter_without_its_value_can_not_be_published_again(force: bool) -> None:
    """Not even with --force; the detail names the lost value, and where to publish it from."""
    plan = planned(Record(7, bytes(3 * MIB), key=b"acme"), RejectReason.TOO_LARGE, replace(RULES, force=force))

    assert (plan.fate, plan.message) == (Fate.NO_VALUE, None)
    assert f"{3 * MIB} bytes, SHA-256 " in plan.detail


def test_an_event_too_large_for_its_headers_is_published_without_them() -> None:
    """Only headers that are not part of the event are left out."""
    headers = [("pad", bytes(MIB)), ("ce_id", b"1"), ("content-type", b"application/cloudevents+json")]

    plan = planned(Record(7, event(), headers=headers), RejectReason.TOO_LARGE)

    assert plan.fate is Fate.SEND
    assert plan.message is not None
    assert [name for name, _ in plan.message.headers] == ["ce_id", "content-type", "dlq.redriven"]


def test_headers_that_fit_stay() -> None:
    """Only the letter's own headers are removed."""
    headers = [("pad", bytes(MOST_BYTES - 10_000)), ("dlq.value", b"null"), ("dlq.headers.renamed", b"1")]

    plan = planned(Record(7, event(), headers=headers), RejectReason.TIME_TOO_OLD)

    assert plan.message is not None
    assert [name for name, _ in plan.message.headers] == ["pad", "dlq.redriven"]


def test_a_record_without_key_and_value_still_fails() -> None:
    """Its letter has an empty value, since nothing else can be written."""
    letter, record = lies_in_the_topic(Record(7, None), RejectReason.EMPTY)

    assert (record.key, record.value, letter.left_out) == (None, b"", None)
    assert plan_letter(letter, record, RULES).fate is Fate.FAILING
