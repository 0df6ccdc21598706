"""Decides the fate of a letter that a person wants to redrive, from its bytes alone. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from aggregator.folds.dead_letters import DETAIL, OF_THE_ORIGINAL, OFFSET, PARTITION, REASON, TIME, TOPIC
from aggregator.folds.quarantine import ORIGINAL
from aggregator.publisher import Message
from metering.counting import LogRecord
from metering.event import read_event
from metering.reject import Reject, RejectReason
from metering.rfc3339 import to_unix
from metering.usage_event import UsageEvent
from ops.dlq.fix_up import Fix, UnmendableError, Written, mend, restamp
from ops.logs.dead_letters import MARK, MARK_AT, MARK_BY, MARK_WHY, DeadLetter, event_attributes
from ops.logs.republish import republished, without

REDRIVEN = "dlq.redriven"
"""Header of the new record: the letter's origin."""

RESTAMPED = "dlq.original-time"
"""Header of a restamped record: the event's original time."""

_UNREAD = "nobody could read it; once somebody can: billing replay --quarantined --partition {} --offsets {}:..."
_OWN = (
    *(ORIGINAL, REASON, DETAIL, TOPIC, PARTITION, OFFSET, TIME, *OF_THE_ORIGINAL),
    *(MARK, MARK_AT, MARK_BY, MARK_WHY, REDRIVEN, RESTAMPED),
)


class Fate(StrEnum):
    """The fate of a letter; people read the value."""

    SEND = "to be sent"
    FAILING = "still failing"
    HANDLED = "handled already"
    NOT_USAGE = "not a usage event"
    NO_VALUE = "without its value"
    UNREAD = "no original in it"
    COUNTED_BEFORE = "counted before"
    UNCERTAIN = "may have been counted before"


@dataclass(frozen=True, slots=True)
class Redrive:
    """The options of a redrive.

    Attributes:
        usage: the usage log. Only letters whose origin is this log are published to it.
        partitions: the number of its partitions.
        now_ms: the append time to expect, Unix ms.
        fixes: the attributes to set in every event.
        restamp_to: the new time (Unix seconds) of an event that is too old; None: it keeps its time.
        force: also send letters that still fail, and letters that were handled already.
    """

    usage: str
    partitions: int
    now_ms: int
    fixes: tuple[Fix, ...] = ()
    restamp_to: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A letter's fate and its reason (`detail`).

    `message` is the record to publish, `event` the event if it would be counted, `original_time` (Unix seconds) the
    original time of a restamped event.
    """

    letter: DeadLetter
    fate: Fate
    detail: str = ""
    message: Message | None = None
    event: UsageEvent | None = None
    original_time: int | None = None


def plan_letter(letter: DeadLetter, record: LogRecord, redrive: Redrive) -> Planned:
    """Decides the fate of one letter, in the order of the checks below."""
    if letter.origin.topic != redrive.usage:
        return Planned(letter, Fate.NOT_USAGE, f"it comes from {letter.origin.topic}: write that record anew")
    if letter.unread:
        return Planned(letter, Fate.UNREAD, _UNREAD.format(letter.origin.partition, letter.origin.offset))
    if letter.mark is not None and not redrive.force:
        return Planned(letter, Fate.HANDLED, f"{letter.mark.kind} at {letter.mark.at} by {letter.mark.by}")
    if letter.left_out is not None:
        detail = f"it had no room for {letter.left_out}: publish that record again from where it came, and discard this"
        return Planned(letter, Fate.NO_VALUE, detail)
    try:
        written, original = _mended(record, redrive)
    except UnmendableError as error:
        return Planned(letter, Fate.FAILING, str(error))
    value = written.value
    event = read_event(value, redrive.now_ms, written.headers)
    headers = [*without(written.headers, _OWN), (REDRIVEN, str(letter.origin).encode())]
    if original is not None:
        headers.append((RESTAMPED, original.encode(errors="replace")))
    account = event_attributes(value, headers)[1] if isinstance(event, Reject) else event.account
    message = republished(redrive.usage, account, value, headers, key=record.key, partitions=redrive.partitions)
    if isinstance(event, Reject):
        fate = Fate.SEND if redrive.force else Fate.FAILING
        return Planned(letter, fate, f"{event.reason}: {event.detail}", message)
    return Planned(letter, Fate.SEND, "", message, event, None if original is None else to_unix(original))


def _mended(record: LogRecord, redrive: Redrive) -> tuple[Written, str | None]:
    mended = mend(record.value, record.headers, redrive.fixes)
    if redrive.restamp_to is None:
        return mended, None
    verdict = read_event(mended.value, redrive.now_ms, mended.headers)
    if not isinstance(verdict, Reject) or verdict.reason is not RejectReason.TIME_TOO_OLD:
        return mended, None
    return restamp(mended.value, mended.headers, redrive.restamp_to)
