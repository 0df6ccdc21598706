"""The usage event: CloudEvents 1.0, structured JSON, one billable action.

`read_event` is the only door: it gives either the event, reduced to what counting needs, or the reject with
its reason. Attributes that CloudEvents allows and this platform does not use are ignored.
"""

from hashlib import blake2b
from struct import Struct
from typing import Annotated, Literal, NamedTuple, NotRequired

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from metering import limits, rfc3339
from metering.meters import BY_NAME
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


_envelope = TypeAdapter(_Envelope).validator.validate_json  # without the adapter's own layer of Python
_int64 = Struct(">q").unpack


class UsageEvent(NamedTuple):
    """What counting needs of an event: `member` is the 64-bit hash of its identity, `time` Unix seconds."""

    member: int
    account: str
    meter: int
    time: int
    quantity: int


_new_event = tuple.__new__  # what UsageEvent(...) comes to, in half the time: this is made of every record


def identity_member(source: str, event_id: str) -> int:
    """The signed 64-bit hash of an event's identity (source, id), by which duplicates are known.

    BLAKE2b, so that no producer can choose an id that collides with another's. NUL separates the two because
    neither may contain it.
    """
    member: int = _int64(blake2b(f"{source}\0{event_id}".encode(), digest_size=8).digest())[0]
    return member


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
        time = rfc3339.to_unix(event["time"])
    except ValidationError as error:
        return _explain(value, append_ms, error)
    except ValueError as error:
        return _constant_fault(value) or _invalid_time(error)
    if b"N" in value or b"I" in value:  # one letter is found ten times as fast as a word
        fault = _constant_fault(value)
        if fault is not None:
            return fault
    meter = BY_NAME.get(event["type"])
    if meter is None or append_ms < meter.counts_since_ms:
        return _unknown_meter(event["type"])
    late_ms = append_ms - time * 1000
    if late_ms > limits.MAX_PAST_MS:
        return Reject(RejectReason.TIME_TOO_OLD, f"time {event['time']} is more than 34 days before its append time")
    if -late_ms > limits.MAX_FUTURE_MS:
        return Reject(RejectReason.TIME_IN_FUTURE, f"time {event['time']} is more than 5 minutes after its append time")
    data = event.get("data")
    quantity = data.get("quantity", 1) if data else 1
    member = identity_member(event["source"], event["id"])
    return _new_event(UsageEvent, (member, event["subject"], meter.index, time, quantity))


def _constant_fault(value: bytes) -> Reject | None:
    """The reject for NaN or Infinity in an ignored attribute: the parser takes them, JSON does not know them."""
    if b"NaN" not in value and b"Infinity" not in value:
        return None
    try:
        from_json(value, allow_inf_nan=False)
    except ValueError as error:
        return Reject(RejectReason.INVALID_JSON, f"NaN or Infinity is not JSON (RFC 8259, section 6): {error}")
    return None


def _invalid_time(error: ValueError) -> Reject:
    return Reject(RejectReason.INVALID_EVENT, f"time: {error}")


def _unknown_meter(name: str) -> Reject:
    return Reject(RejectReason.UNKNOWN_METER, f"type {name[:64]!r} is not one of {', '.join(BY_NAME)}")


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
    try:
        rfc3339.to_unix(event["time"])
    except ValueError as wrong:
        return _invalid_time(wrong)
    meter = BY_NAME.get(event["type"])
    if meter is None or append_ms < meter.counts_since_ms:
        return _unknown_meter(event["type"])
    if "subject" in faults:
        return Reject(RejectReason.INVALID_ACCOUNT, f"subject: {faults['subject']['msg']}")
    return Reject(RejectReason.INVALID_QUANTITY, f"data.quantity: {faults['data']['msg']}")
