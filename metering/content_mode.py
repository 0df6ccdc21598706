"""Where a record keeps its event: CloudEvents' Kafka protocol binding 1.0, section 3.

In structured mode the value is the whole event. In binary mode, the default of several SDKs, the value is its data
alone and each attribute is a header, `ce_` and its name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

Headers = Sequence[tuple[str, bytes | None]]

PREFIX = "ce_"
CONTENT_TYPE = "content-type"
STRUCTURED = b"application/cloudevents"
"""How the content type of every structured record begins, in whatever case."""

_STRUCTURED_LENGTH = len(STRUCTURED)


def binary_attributes(headers: Headers) -> dict[str, bytes] | None:
    """The attributes of a record in binary mode, by their names without the prefix; None for structured mode.

    A record with `ce_` headers is in binary mode unless its content type says otherwise. Of a header that stands
    twice the last counts, as of a member of a JSON object.
    """
    found: dict[str, bytes] | None = None
    for name, value in headers:
        if PREFIX in name:  # cheaper than to ask where
            if name.startswith(PREFIX) and value is not None:
                found = found or {}
                found[name[len(PREFIX) :]] = value
        elif name == CONTENT_TYPE and value is not None and value[:_STRUCTURED_LENGTH].lower() == STRUCTURED:
            return None
    return found


def content_type(headers: Headers) -> str:
    """What the record says of its value, in lower case; empty where it says nothing."""
    found = [value for name, value in headers if name == CONTENT_TYPE and value]
    return found[-1].decode(errors="replace").lower() if found else ""


def attributes_of(value: bytes | None, headers: Headers) -> Mapping[str, Any]:
    """What a record that may be anything says of itself, by attribute; empty where it can't be read."""
    attributes = binary_attributes(headers)
    if attributes is not None:
        return {name: text.decode(errors="replace") for name, text in attributes.items()}
    try:
        event = from_json(value or b"")
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
