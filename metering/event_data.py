"""How many units an event stands for: what its data says, and one where it says nothing of numbers.

One rule guards against counting less than a producer meant: data that holds a number, at any depth, must have a
`quantity` of its own. So `{"value": 5}`, `{"Quantity": 5}` and `{"usage": {"quantity": 5}}` are rejected, never one.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from metering.limits import MAX_QUANTITY
from metering.reject import Reject, RejectReason, shown

_NAME = "quantity"
_WRITE_IT = f'write {{"{_NAME}": 1}}, or leave data out for one unit'


def units_of(event: Mapping[str, Any]) -> int | Reject:
    """The units of an event, from its members `data` and `data_base64` (CloudEvents' JSON format, section 3.1).

    A float that is an integer is one: serializers of many languages write 5 as 5.0.
    """
    data, encoded = event.get("data"), event.get("data_base64")
    if encoded is not None:
        if data is not None:
            return _invalid("data and data_base64 are both there: send one of them")
        data = _decoded(encoded)
    if data is None:
        return 1
    if isinstance(data, Reject):
        return data
    if not isinstance(data, dict):
        return _invalid(_no_object(data))
    if "specversion" in data:
        return _invalid(
            "data is a whole event: for an event in the record's value set the header content-type to "
            "application/cloudevents+json, or send no ce_ headers"
        )
    return _quantity(data)


def as_quantity(value: object) -> int | None:
    """A number of units; None for what is none: no whole number, or beyond `MAX_QUANTITY`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_QUANTITY and value == int(value) else None


def _quantity(data: Mapping[str, Any]) -> int | Reject:
    if _NAME in data:
        units = as_quantity(data[_NAME])
        if units is not None:
            return units
        return Reject(
            RejectReason.INVALID_QUANTITY,
            f"data.{_NAME} must be a whole number from 0 to {MAX_QUANTITY}; it is {shown(data[_NAME])}",
        )
    for name, value in data.items():
        if name.strip().lower() == _NAME or _holds_number(value):
            return Reject(
                RejectReason.INVALID_QUANTITY,
                f"data has no {_NAME}, and its member {shown(name)} may mean one: write the units as data.{_NAME}, "
                "1 for one",
            )
    return 1


def _holds_number(value: object) -> bool:
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
        elif isinstance(inner, int | float) and not isinstance(inner, bool):
            return True
    return False


def _decoded(encoded: object) -> Any:
    """What the base64 text holds; None for nothing."""
    if not isinstance(encoded, str):
        return _invalid(f"data_base64 must be a text; it is {shown(encoded)}")
    try:
        text = b64decode(encoded, validate=True)
    except ValueError as error:
        return _invalid(f"data_base64 is not base64 (RFC 4648, section 4): {error}")
    try:
        return from_json(text, allow_inf_nan=False) if text else None
    except ValueError as error:
        return _invalid(f'data_base64 does not hold JSON such as {{"{_NAME}": 1}}: {error}')


def _no_object(data: object) -> str:
    if isinstance(data, str) and holds_json(data):
        return "data is a text that holds JSON: it was encoded twice, send the object itself"
    return f"data must be an object; it is {shown(data)}: {_WRITE_IT}"


def holds_json(text: str) -> bool:
    """Whether a text is a JSON object or array itself: a serializer was given what was serialized already."""
    try:
        return isinstance(from_json(text.encode()), dict | list)
    except ValueError:
        return False


def _invalid(detail: str) -> Reject:
    return Reject(RejectReason.INVALID_EVENT, detail)
