"""What is wrong with an event, in words for the person who must mend its producer."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from metering import limits, rfc3339
from metering.event_data import holds_json, units_of
from metering.meters import BY_NAME
from metering.reject import Reject, RejectReason, first_of, shown

_TEXT = f"a text of 1 to {limits.MAX_ID_LENGTH} characters without control characters"
_RIGHT_TIME = "write it as 2026-11-22T17:00:00Z"
_RULES = {
    "specversion": "'1.0'",
    "id": _TEXT,
    "source": _TEXT,
    "type": f"one of {', '.join(BY_NAME)}",
    "subject": f"the account: 1 to {limits.MAX_ACCOUNT_LENGTH} of A-Z a-z 0-9 _ . : -",
    "time": f"RFC 3339 with the offset from UTC: {_RIGHT_TIME}",
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_REGISTRY_PREFIX_BYTES = 5  # a zero byte and four of the schema's id


def explain(event: Mapping[str, Any], append_ms: int, error: ValueError | None = None, prefix: str = "") -> Reject:
    """The first fault, by precedence, of an event that has one other than its time's distance.

    Args:
        event: its members, as they were parsed.
        append_ms: as for `metering.event.read_event`.
        error: what was raised when its attributes were validated, if anything was.
        prefix: what stands before an attribute's name in the record.
    """
    return first_of(_faults(event, append_ms, _wrong(error), prefix))


def _wrong(error: ValueError | None) -> dict[str, str]:
    """The attributes that break their rule, with what stands there instead."""
    faults = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    return {
        str(fault["loc"][0]): "it is missing" if fault["type"] == "missing" else f"it is {shown(fault['input'])}"
        for fault in faults
    }


def _faults(event: Mapping[str, Any], append_ms: int, wrong: Mapping[str, str], prefix: str) -> Iterator[Reject]:
    for name, rule in _RULES.items():
        if name in wrong:
            reason = RejectReason.INVALID_ACCOUNT if name == "subject" else RejectReason.INVALID_EVENT
            yield Reject(reason, f"{prefix}{name} must be {rule}; {wrong[name]}")
    if "time" not in wrong:
        try:
            rfc3339.to_unix(event["time"])
        except ValueError as error:
            detail = f"{prefix}time {shown(event['time'])} is none, {error}: {_RIGHT_TIME}"
            yield Reject(RejectReason.INVALID_EVENT, detail)
    units = units_of(event)
    if isinstance(units, Reject):
        yield units
    if "type" not in wrong and not counts(event["type"], append_ms):
        yield unknown_meter(event["type"])


def counts(meter: str, append_ms: int) -> bool:
    """Whether there is such a meter, and its events count at that append time."""
    return meter in BY_NAME and append_ms >= BY_NAME[meter].counts_since_ms


def unknown_meter(name: str) -> Reject:
    """The reject for an event of a meter that does not exist, or did not yet."""
    return Reject(RejectReason.UNKNOWN_METER, f"type {shown(name)} is not {_RULES['type']}")


def not_json(value: bytes, said: str, content_type: str) -> Reject:
    """The reject for bytes that are no JSON.

    Args:
        value: the bytes.
        said: what the parser said.
        content_type: what the record says of its value; empty for nothing.
    """
    return Reject(RejectReason.INVALID_JSON, _encoding_fault(value, content_type) or said)


def _encoding_fault(value: bytes, content_type: str) -> str | None:
    if value.startswith(_BYTE_ORDER_MARK):
        return "the value begins with a byte order mark: send UTF-8 without one"
    zeros = [byte == 0 for byte in value[:4]]
    if value.startswith(_UTF_16_MARKS) or zeros in ([False, True, False, True], [True, False, True, False]):
        return "the value is UTF-16: send UTF-8"
    if value[:1] == b"\0" and len(value) > _REGISTRY_PREFIX_BYTES:
        return "the value begins with a schema registry's prefix, a zero byte and an id: send JSON without a registry"
    if content_type and "json" not in content_type:
        return f"the content type is {shown(content_type)}: send JSON"
    return None


def not_object(value: object) -> Reject:
    """The reject for JSON that is no object."""
    if isinstance(value, list):
        detail = "the value is an array: a batch is not read, send a record for each event"
    elif isinstance(value, str) and holds_json(value):
        detail = "the value is a text that holds JSON: it was encoded twice, send the object itself"
    else:
        detail = f"the value must be an object, the event; it is {shown(value)}"
    return Reject(RejectReason.INVALID_EVENT, detail)
