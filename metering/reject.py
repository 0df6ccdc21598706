"""Why a record cannot be counted. Each reason is a dead letter's `dlq.reason` header and never changes its name."""

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Reject:
    """A verdict on one record: the reason, and a sentence for the person who must mend the producer."""

    reason: RejectReason
    detail: str
