"""Reading one record in a test: the event that it must be, or the reject."""

from metering.content_mode import Headers
from metering.event import read_event
from metering.reject import Reject, RejectReason
from metering.usage_event import UsageEvent
from tests.metering.events import NOON_MS


def counted(value: bytes | None, append_ms: int = NOON_MS, headers: Headers = ()) -> UsageEvent:
    """The event of a record that must be countable."""
    result = read_event(value, append_ms, headers)
    assert isinstance(result, UsageEvent), result
    return result


def rejected(value: bytes | None, append_ms: int = NOON_MS, headers: Headers = ()) -> Reject:
    """The reject of a record that must not be."""
    result = read_event(value, append_ms, headers)
    assert isinstance(result, Reject), result
    return result


def reason(value: bytes | None, append_ms: int = NOON_MS, headers: Headers = ()) -> RejectReason | None:
    """Why a record is rejected; None for one that is counted."""
    result = read_event(value, append_ms, headers)
    return result.reason if isinstance(result, Reject) else None
