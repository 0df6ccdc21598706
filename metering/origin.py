"""Where a re-routed copy comes from: four headers that the aggregator writes, and that any producer can write too.

An origin is lineage for people. Nothing is decided by it: a copy is judged by its own append time, as every record.
"""

from collections.abc import Sequence
from typing import NamedTuple

from metering.content_mode import Headers
from metering.limits import MAX_FUTURE_MS, MAX_PAST_MS

_TOPIC, _PARTITION, _OFFSET, _TIME = _NAMES = ("origin.topic", "origin.partition", "origin.offset", "origin.time")
_MOST_OFFSET, _MOST_PARTITION = 2**63 - 1, 2**31 - 1
_MOST_DIGITS = 19
_LONGEST_MS = MAX_PAST_MS + MAX_FUTURE_MS  # from an event's first record to the last copy that can be counted


class Origin(NamedTuple):
    """A record of the usage log; `append_ms` in Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    append_ms: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Place(NamedTuple):
    """A partition of the usage log, in which a record was found."""

    topic: str
    partition: int


def origin_of(headers: Headers, append_ms: int, place: Place) -> Origin | None:
    """Where a record was copied from; None for an original.

    The headers are believed where they can be true and only together: each is there once, and they name another
    partition of the same topic (it may have been added since), and a time that is not after the record's own and
    within what a copy may take.

    Args:
        headers: the record's.
        append_ms: the record's own append time, Unix milliseconds.
        place: where the record is.
    """
    found = [(name, value) for name, value in headers if name in _NAMES]
    texts = dict(found)
    if len(found) != len(_NAMES) or len(texts) != len(_NAMES) or texts[_TOPIC] != place.topic.encode():
        return None
    partition, offset = _number(texts[_PARTITION], _MOST_PARTITION), _number(texts[_OFFSET], _MOST_OFFSET)
    time = _number(texts[_TIME], append_ms)
    if partition is None or offset is None or time is None:
        return None
    if partition == place.partition or append_ms - time > _LONGEST_MS:
        return None
    return Origin(place.topic, partition, offset, time)


def origin_headers(origin: Origin) -> Sequence[tuple[str, bytes]]:
    """The headers that say where a copy comes from."""
    return [(name, str(value).encode()) for name, value in zip(_NAMES, origin, strict=True)]


def without_origin(headers: Headers) -> list[tuple[str, bytes | None]]:
    """The headers of an original, whatever a record says of where it comes from."""
    return [(name, value) for name, value in headers if name not in _NAMES]


def _number(text: bytes | None, most: int) -> int | None:
    if text is None or not text.isdigit() or len(text) > _MOST_DIGITS:
        return None
    return int(text) if int(text) <= most else None
