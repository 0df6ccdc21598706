"""The usage event: CloudEvents 1.0, structured JSON, one billable action.

`read_event` is the only door: it gives either the event, reduced to what counting needs, or the reject with
its reason. Attributes that CloudEvents allows and this platform does not use are ignored.
"""

from hashlib import blake2b
from typing import Annotated, Literal, NamedTuple, NotRequired

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from metering import limits, rfc3339
from metering.meters import BY_NAME, Meter
from metering.reject import Reject, RejectReason

# CloudEvents 1.0, "Type System": a String has no control characters.
_Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.MAX_ID_LENGTH, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
]


class _Data(TypedDict):
    quantity: NotRequired[Annotated[int, Field(strict=True, ge=1, le=limits.MAX_QUANTITY)]]


class _Envelope(TypedDict):
    specversion: Literal["1.0"]
    id: _Text
    source: _Text
    type: str
    subject: Annotated[str, StringConstraints(pattern=limits.ACCOUNT_PATTERN)]
    time: Annotated[str, StringConstraints(pattern=rfc3339.PATTERN)]
    data: NotRequired[_Data | None]


_envelope = TypeAdapter(_Envelope).validate_json


class UsageEvent(NamedTuple):
    """What counting needs of an event: `member` is the 64-bit hash of its identity, `time` Unix seconds."""

    member: int
    account: str
    meter: int
    time: int
    quantity: int


def identity_member(source: str, event_id: str) -> int:
    """The signed 64-bit hash of an event's identity (source, id), by which duplicates are known.

    BLAKE2b, so that no producer can choose an id that collides with another's. NUL separates the two because
    neither may contain it.
    """
    return int.from_bytes(blake2b(f"{source}\0{event_id}".encode(), digest_size=8).digest(), "big", signed=True)


def read_event(value: bytes | None, append_ms: int) -> UsageEvent | Reject:
    """Reads one record of the usage log.

    Args:
        value: the record's value.
        append_ms: Unix milliseconds: the highest append time that the shard has seen, or the append time at the
            origin for a copy that was re-routed.
    """
    if not value:
        return Reject(RejectReason.EMPTY, "the record has no value")
    if len(value) > limits.MAX_RECORD_BYTES:
        return Reject(RejectReason.TOO_LARGE, f"{len(value)} bytes; at most {limits.MAX_RECORD_BYTES}")
    try:
        event = _envelope(value)
    except ValidationError as error:
        return _explain(value, append_ms, error)
    fault = _constant_fault(value)
    if fault is not None:
        return fault
    time = _unix_time(event["time"])
    if isinstance(time, Reject):
        return time
    meter = _meter(event["type"], append_ms)
    if isinstance(meter, Reject):
        return meter
    late_ms = append_ms - time * 1000
    if late_ms > limits.MAX_PAST_MS:
        return Reject(RejectReason.TIME_TOO_OLD, f"time {event['time']} is more than 34 days before its append time")
    if -late_ms > limits.MAX_FUTURE_MS:
        return Reject(RejectReason.TIME_IN_FUTURE, f"time {event['time']} is more than 5 minutes after its append time")
    data = event.get("data")
    quantity = data.get("quantity", 1) if data else 1
    return UsageEvent(identity_member(event["source"], event["id"]), event["subject"], meter.index, time, quantity)


def _constant_fault(value: bytes) -> Reject | None:
    """The reject for NaN or Infinity in an ignored attribute: the parser takes them, JSON does not know them."""
    if b"NaN" not in value and b"Infinity" not in value:
        return None
    try:
        from_json(value, allow_inf_nan=False)
    except ValueError as error:
        return Reject(RejectReason.INVALID_JSON, f"NaN or Infinity is not JSON (RFC 8259, section 6): {error}")
    return None


def _unix_time(text: str) -> int | Reject:
    try:
        return rfc3339.to_unix(text)
    except ValueError as error:
        return Reject(RejectReason.INVALID_EVENT, f"time: {error}")


def _meter(name: str, append_ms: int) -> Meter | Reject:
    meter = BY_NAME.get(name)
    if meter is None or append_ms < meter.counts_since_ms:
        return Reject(RejectReason.UNKNOWN_METER, f"type {name[:64]!r} is not one of {', '.join(BY_NAME)}")
    return meter


def _explain(value: bytes, append_ms: int, error: ValidationError) -> Reject:
    """The named reason behind a validation error, by the precedence of `RejectReason`."""
    faults = {
        str(fault["loc"][0]) if fault["loc"] else "": fault for fault in reversed(error.errors(include_url=False))
    }
    quantity_only = all(
        fault["loc"][:2] == ("data", "quantity") for fault in error.errors() if fault["loc"][:1] == ("data",)
    )
    if "" in faults and faults[""]["type"] == "json_invalid":
        return Reject(RejectReason.INVALID_JSON, str(faults[""]["msg"]))
    fault = _constant_fault(value)
    if fault is not None:
        return fault
    for place, details in faults.items():
        if place not in {"subject", "data"} or (place == "data" and not quantity_only):
            return Reject(RejectReason.INVALID_EVENT, f"{place or 'event'}: {details['msg']}")
    event = from_json(value)
    for verdict in (_unix_time(event["time"]), _meter(event["type"], append_ms)):
        if isinstance(verdict, Reject):
            return verdict
    if "subject" in faults:
        return Reject(RejectReason.INVALID_ACCOUNT, f"subject: {faults['subject']['msg']}")
    return Reject(RejectReason.INVALID_QUANTITY, f"data.quantity: {faults['data']['msg']}")
