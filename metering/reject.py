"""Why a record cannot be counted. Each reason is a dead letter's `dlq.reason` header and never changes its name."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_SHOWN_CHARACTERS = 64
_SHOWN_BITS = 64
_KINDS: dict[type, str] = {dict: "an object", list: "an array", bool: "a truth value", type(None): "null"}


class RejectReason(StrEnum):
    """The reasons in order of precedence: a record with several faults gets the first that applies."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    INVALID_EVENT = "invalid_event"
    UNKNOWN_METER = "unknown_meter"
    INVALID_ACCOUNT = "invalid_account"
    INVALID_QUANTITY = "invalid_quantity"
    TIME_TOO_OLD = "time_too_old"
    TIME_IN_FUTURE = "time_in_future"
    UNREADABLE = "unreadable"
    """Reading it failed in a way that nobody foresaw: a defect of the platform, to be reported with the letter."""
    QUARANTINED = "quarantined"
    """A person has ordered to pass it by: before anything else, and though it may not be readable at all."""


_PRECEDENCE = {reason: place for place, reason in enumerate(RejectReason)}


@dataclass(frozen=True, slots=True)
class Reject:
    """A verdict on one record: the reason, and a sentence for the person who must mend the producer."""

    reason: RejectReason
    detail: str


def first_of(rejects: Iterable[Reject]) -> Reject:
    """Of several verdicts on one record the one that it gets; the first named where they share a reason."""
    return min(rejects, key=lambda reject: _PRECEDENCE[reject.reason])


def unreadable(error: Exception) -> Reject:
    """The verdict on a record that deciding has raised an error for: one record never ends a process."""
    return Reject(RejectReason.UNREADABLE, f"{type(error).__name__}: {error}")


def shown(value: object) -> str:
    """A JSON value as a detail shows it: short whatever its size, and in characters that print."""
    if isinstance(value, str):
        short = repr(value[:_SHOWN_CHARACTERS])
        return short if len(value) <= _SHOWN_CHARACTERS else f"{short}... ({len(value)} characters)"
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return f"a number of {value.bit_length()} bits"  # Python refuses to write very large ones
    return _KINDS.get(type(value)) or str(value)
