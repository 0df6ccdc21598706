"""Usage events and log records for the tests of everything that reads them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metering.rfc3339 import from_unix
from metering.usage_event import identity_member
from tests.support.usage_event import ABSENT, usage_event

__all__ = ["ABSENT"]

NOON = 1_781_956_800  # 2026-06-20T12:00:00Z, a whole hour
NOON_MS = NOON * 1000


def attributes(**changes: Any) -> dict[str, Any]:
    """The attributes of a valid event at `NOON`, with changes; `ABSENT` takes one away."""
    return usage_event(**{"time": from_unix(NOON), **changes})


def event(**changes: Any) -> bytes:
    """The same as a record's value."""
    return json.dumps(attributes(**changes)).encode()


def identity(**changes: Any) -> int:
    """The member of the same event, as counting has it."""
    event = attributes(**changes)
    return identity_member(event["source"], event["id"], event["type"], event["subject"])


def with_raw(text: str, **changes: Any) -> bytes:
    """A valid event whose JSON object ends with `text`, which Python's encoder would not write."""
    return event(**changes)[:-1] + b"," + text.encode() + b"}"


class Strange(bytes):
    """A value that nobody foresaw: it can't even be asked whether it is empty."""

    def __len__(self) -> int:
        raise RuntimeError("no such length")


@dataclass(frozen=True)
class Record:
    """A record of a log; `timestamp` is the append time in Unix milliseconds."""

    offset: int
    value: bytes | None
    timestamp: int = NOON_MS
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
