"""Reading a replay's parts, as items: one record or line each, with where to go on after it."""

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

_SPOOLED = b'{"key":'  # how a line of a producer's spool begins


class Item(NamedTuple):
    """`place` is topic/partition/offset or file:line (from 1); `next` where its part goes on after it."""

    place: str
    key: bytes | None
    value: bytes
    headers: Headers
    next: int


def read_items(settings: KafkaSettings, part: Part, most: int, *, quarantined: bool = False) -> Iterator[list[Item]]:
    """The part's items from its `next` on, at most `most` at a time; an empty line is none.

    What a person has ordered to be passed by is left out unless `quarantined`.

    Raises:
        OpsError: Kafka does not answer, or no longer holds them.
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
    """The event in a line of a producer's spool; any other line is an event itself."""
    if not line.startswith(_SPOOLED):
        return line
    try:
        return str(json.loads(line)["value"]).encode()
    except (ValueError, TypeError, KeyError):
        return line
