"""Reads the parts of a replay as items: records of a log or lines of a file."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from aggregator.publisher import Headers
from ops.logs.order_log import read_folded, read_orders
from ops.logs.reader import LogReader
from ops.replay.progress import FilePart, LogPart, Part
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

_SPOOLED = b'{"key":'  # the beginning of a line in a producer's spool


class Item(NamedTuple):
    """One record or line. `place` is topic/partition/offset or file:line (from 1); `next` is the `next` of its part."""

    place: str
    key: bytes | None
    value: bytes
    headers: Headers
    next: int


def read_items(settings: KafkaSettings, part: Part, most: int, *, quarantined: bool = False) -> Iterator[list[Item]]:
    """Yields the part's items from its `next` on, at most `most` at a time. Empty lines are left out.

    Records that a person ordered to pass by are left out unless `quarantined`.

    Raises:
        OpsError: Kafka does not answer, or no longer holds the offsets.
    """
    items = _log_items(settings, part, quarantined) if isinstance(part, LogPart) else _file_items(part)
    while batch := list(islice(items, most)):
        yield batch


def _log_items(settings: KafkaSettings, part: LogPart, quarantined: bool) -> Iterator[Item]:  # noqa: FBT001 - as read
    if part.next >= part.end:
        return
    with LogReader(settings) as reader:
        known = read_orders(reader, TopicNames(settings.topic_prefix).quarantine)
        orders = () if quarantined else known.of(part.topic, part.partition)
        for records in read_folded(reader, part.topic, part.partition, part.next, part.end, orders):
            for record in records:
                place = f"{part.topic}/{part.partition}/{record.offset}"
                yield Item(place, record.key, record.value or b"", record.headers, record.offset + 1)


def _file_items(part: FilePart) -> Iterator[Item]:
    with part.path.open("rb") as file:
        for number, line in enumerate(islice(file, part.next, part.end), start=part.next + 1):
            value = line.strip()
            if value:
                yield Item(f"{part.path}:{number}", None, _unspooled(value), (), number)


def _unspooled(line: bytes) -> bytes:
    """Returns the event in a line of a producer's spool; any other line is itself an event."""
    if not line.startswith(_SPOOLED):
        return line
    try:
        return str(json.loads(line)["value"]).encode()
    except (ValueError, TypeError, KeyError):
        return line
