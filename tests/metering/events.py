"""Usage events and log records for the tests of everything that reads them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metering.rfc3339 import from_unix

NOON = 1_781_956_800  # 2026-06-20T12:00:00Z, a whole hour
NOON_MS = NOON * 1000

ABSENT = object()


def attributes(**changes: Any) -> dict[str, Any]:
    """The attributes of a valid event at `NOON`, with changes; `ABSENT` takes one away."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "/tests",
        "type": "sms.send",
        "subject": "acme",
        "time": from_unix(NOON),
    } | changes
    return {name: value for name, value in event.items() if value is not ABSENT}


def event(**changes: Any) -> bytes:
    """The same as a record's value."""
    return json.dumps(attributes(**changes)).encode()


def with_raw(text: str, **changes: Any) -> bytes:
    """A valid event whose JSON object ends with `text`, which Python's encoder would not write."""
    return event(**changes)[:-1] + b"," + text.encode() + b"}"


@dataclass(frozen=True)
class Record:
    """A record of a log; `timestamp` is the append time in Unix milliseconds."""

    offset: int
    value: bytes | None
    timestamp: int = NOON_MS
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
