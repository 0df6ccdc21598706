"""The usage event: CloudEvents 1.0, structured or binary, one billable action.

`read_event` is the only door: it gives either the event, reduced to what counting needs, or the reject with
its reason. Attributes that CloudEvents allows and this platform does not use are ignored.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from metering import limits, rfc3339
from metering.content_mode import CONTENT_TYPE, PREFIX, STRUCTURED, Headers, binary_attributes, content_type
from metering.event_data import units_of
from metering.event_faults import explain, not_json, not_object
from metering.meters import BY_NAME
from metering.plain_event import read_plain
from metering.reject import Reject, RejectReason, unreadable
from metering.usage_event import UsageEvent, counted

# CloudEvents 1.0, "Type System": a String has no control characters.
_Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.MAX_ID_LENGTH, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
]


class _Data(TypedDict):
    quantity: NotRequired[Any]


class _Envelope(TypedDict):
    specversion: Literal["1.0"]
    id: _Text
    source: _Text
    type: str
    subject: Annotated[str, StringConstraints(pattern=limits.ACCOUNT_PATTERN)]
    time: Annotated[str, StringConstraints(pattern=rfc3339.PATTERN)]
    data: NotRequired[_Data | None]  # without its other members: who needs them parses the event again
    data_base64: NotRequired[Any]


_validator = TypeAdapter(_Envelope).validator  # without the adapter's own layer of Python
_of_json, _of_texts = _validator.validate_json, _validator.validate_python
_NAMES = sorted(_Envelope.__required_keys__)
_N, _I = b"NI"  # how NaN and Infinity begin
_PLAIN_HEADER = (CONTENT_TYPE, STRUCTURED + b"+json")  # what `producers` and many SDKs write first: known at a glance


def read_event(value: bytes | None, append_ms: int, headers: Headers = ()) -> UsageEvent | Reject:
    """Reads one record of the usage log. Never raises: what nobody foresaw is a reject like any other, `unreadable`.

    Args:
        value: the record's value.
        append_ms: Unix milliseconds: the highest append time that the shard has seen.
        headers: the record's headers, which say where its attributes are.
    """
    try:
        if value and (not headers or headers[0] == _PLAIN_HEADER) and len(value) <= limits.MAX_RECORD_BYTES:
            event = read_plain(value, append_ms)
            if event is not None:
                return event
        return read_carefully(value, append_ms, headers)
    except Exception as error:
        return unreadable(error)


def read_carefully(value: bytes | None, append_ms: int, headers: Headers = ()) -> UsageEvent | Reject:
    """Reads a record as `read_event` does, however it is written, and says why it is none; may raise."""
    if headers and headers[0] != _PLAIN_HEADER:
        attributes = binary_attributes(headers)
        if attributes is not None:
            return _read_binary(value or b"", append_ms, headers, attributes)
    if not value:
        return Reject(RejectReason.EMPTY, "the record has no value")
    if len(value) > limits.MAX_RECORD_BYTES:
        return _too_large(len(value))
    try:
        event = _of_json(value)
        time = rfc3339.to_unix(event["time"])
    except ValueError as error:
        return _fault_of(value, append_ms, headers, error)
    if _N in value or _I in value:  # a byte is found many times as fast as a word
        fault = _constant_fault(value)
        if fault is not None:
            return fault
    data = event.get("data")
    quantity: Any = 1 if data is None else data.get("quantity")
    if type(quantity) is not int or not 0 <= quantity <= limits.MAX_QUANTITY or "data_base64" in event:
        event = from_json(value)
        quantity = units_of(event)
    return _judged(event, time, quantity, append_ms)


def _judged(event: Mapping[str, Any], time: int, quantity: int | Reject, append_ms: int) -> UsageEvent | Reject:
    """What becomes of an event whose attributes are well formed; `time` is its own in Unix seconds."""
    if isinstance(quantity, Reject):
        return explain(event, append_ms)
    counts = counted(event["source"], event["id"], event["type"], event["subject"], time, quantity, append_ms)
    if counts is not None:
        return counts
    meter = BY_NAME.get(event["type"])
    if meter is None or append_ms < meter.counts_since_ms:
        return explain(event, append_ms)
    if append_ms - time * 1000 > limits.MAX_PAST_MS:
        return Reject(
            RejectReason.TIME_TOO_OLD, f"time {event['time'][:64]} is more than 34 days before its append time"
        )
    return Reject(
        RejectReason.TIME_IN_FUTURE, f"time {event['time'][:64]} is more than 5 minutes after its append time"
    )


def _read_binary(
    value: bytes, append_ms: int, headers: Headers, attributes: Mapping[str, bytes]
) -> UsageEvent | Reject:
    """The event of a record in binary mode. Its data is read as JSON, whatever the content type says."""
    size = len(value) + sum(len(name) + len(text) for name, text in attributes.items())
    if size > limits.MAX_RECORD_BYTES:
        return _too_large(size)
    try:
        data = from_json(value, allow_inf_nan=False) if value else None
    except ValueError as error:
        return not_json(value, f"the data is not JSON: {error}", content_type(headers))
    # What is not UTF-8 becomes a text with surrogates, which breaks every attribute's rule.
    event: Any = {name: attributes[name].decode(errors="surrogateescape") for name in _NAMES if name in attributes}
    event["data"] = data
    try:
        time = rfc3339.to_unix(_of_texts(event)["time"])
    except ValueError as error:
        return explain(event, append_ms, error, PREFIX)
    return _judged(event, time, units_of(event), append_ms)


def _too_large(size: int) -> Reject:
    return Reject(RejectReason.TOO_LARGE, f"{size} bytes; at most {limits.MAX_RECORD_BYTES}")


def _fault_of(value: bytes, append_ms: int, headers: Headers, error: ValueError) -> Reject:
    """The named reason why the value of a record in structured mode is no event."""
    if isinstance(error, ValidationError) and error.errors()[0]["type"] == "json_invalid":
        return not_json(value, error.errors()[0]["msg"], content_type(headers))
    fault = _constant_fault(value)
    if fault is not None:
        return fault
    event = from_json(value)
    return explain(event, append_ms, error) if isinstance(event, dict) else not_object(event)


def _constant_fault(value: bytes) -> Reject | None:
    """The reject for NaN or Infinity in an ignored attribute: the parser takes them, JSON does not know them."""
    if b"NaN" not in value and b"Infinity" not in value:
        return None
    try:
        from_json(value, allow_inf_nan=False)
    except ValueError as error:
        return Reject(RejectReason.INVALID_JSON, f"NaN or Infinity is not JSON (RFC 8259, section 6): {error}")
    return None
