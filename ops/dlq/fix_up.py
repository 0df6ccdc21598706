"""Mends an event before it is published again: sets attributes, or replaces a time that is too old."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from metering.content_mode import CONTENT_TYPE, PREFIX, STRUCTURED, Headers, binary_attributes
from metering.rfc3339 import from_unix
from ops.console.errors import OpsError

ORIGINAL_TIME = "originaltime"
"""Extension attribute of a restamped event: its original `time`. CloudEvents allows only a-z and 0-9 in the name."""


class UnmendableError(ValueError):
    """The value can't be mended: it is not a JSON object, or can't be written as one."""


class Written(NamedTuple):
    """A record's value and headers."""

    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Fix:
    """One attribute to set; `path` holds the names from the event down to the attribute."""

    path: tuple[str, ...]
    value: Any


def parse_fix(text: str) -> Fix:
    """Parses a fix such as `type=sms.send`, `data.quantity=2` or `/data/quantity=2`.

    A value of a CloudEvents attribute is always a text. A value within `data` is parsed as JSON if it is JSON.

    Raises:
        OpsError: the text has another form.
    """
    name, equals, value = text.partition("=")
    path = tuple(name[1:].split("/")) if name.startswith("/") else tuple(name.split("."))
    if not equals or not all(path):
        raise OpsError(f"--set {text!r}: write an attribute and its value, such as type=sms.send or data.quantity=2")
    if path == ("data",) or (len(path) > 1 and path[0] != "data"):
        raise OpsError(f"--set {text!r}: only attributes of the event and members of its data can be set")
    return Fix(path, _json_or_text(value) if path[0] == "data" else value)


def mend(value: bytes | None, headers: Headers, fixes: Sequence[Fix]) -> Written:
    """Returns the event with the fixes applied; without fixes, exactly the same bytes and headers.

    An event in binary mode becomes one in structured mode: the value then holds all of it.

    Raises:
        UnmendableError: the event is not a JSON object, or can't be written as one.
    """
    if not fixes:
        return Written(value or b"", headers)
    event = _parse(value, headers)
    for fix in fixes:
        if fix.path[0] == "data":
            _unwrap_data(event)
        place = event
        for name in fix.path[:-1]:
            inner = place.get(name)
            if not isinstance(inner, dict):
                inner = place[name] = {}
            place = inner
        place[fix.path[-1]] = fix.value
    return _write(event, headers)


def restamp(value: bytes, headers: Headers, time: int) -> tuple[Written, str]:
    """Returns the event with a new time (Unix seconds), and its original time, which it keeps in `originaltime`.

    Raises:
        UnmendableError: the event is not a JSON object.
    """
    event = _parse(value, headers)
    original = str(event.get("time"))
    event.setdefault(ORIGINAL_TIME, original)
    event["time"] = from_unix(time)
    return _write(event, headers), original


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _parse(value: bytes | None, headers: Headers) -> dict[str, Any]:
    attributes = binary_attributes(headers)
    if attributes is not None:
        return {name: text.decode(errors="replace") for name, text in attributes.items()} | _data(value)
    try:
        event = json.loads(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnmendableError(f"the value is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise UnmendableError("the value is not a JSON object")
    return event


def _data(value: bytes | None) -> dict[str, Any]:
    """Returns the data of an event in binary mode, in the form of CloudEvents' JSON format."""
    if not value:
        return {}
    try:
        return {"data": json.loads(value)}
    except (ValueError, RecursionError):
        return {"data_base64": b64encode(value).decode()}


def _unwrap_data(event: dict[str, Any]) -> None:
    """Replaces `data_base64` by `data`: CloudEvents forbids both at once."""
    encoded = event.pop("data_base64", None)
    if encoded is not None and event.get("data") is None:
        try:
            event["data"] = json.loads(b64decode(encoded, validate=True))
        except (ValueError, TypeError, RecursionError):
            event["data"] = None


def _write(event: dict[str, Any], headers: Headers) -> Written:
    try:
        value = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise UnmendableError(f"the event can't be written as JSON: {error}") from error
    if binary_attributes(headers) is None:
        return Written(value, headers)
    others = [(name, text) for name, text in headers if name != CONTENT_TYPE and not name.startswith(PREFIX)]
    return Written(value, [*others, (CONTENT_TYPE, STRUCTURED + b"+json")])
