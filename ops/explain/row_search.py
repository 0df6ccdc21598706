"""Finds a row in the push log by its identifier, and collects the log's entries about it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import ValidationError

from metering.counting import LogRecord
from metering.deliveries import rows_of
from metering.push_log import (
    ParkOrder,
    Prepared,
    PushRecord,
    ReissueOrder,
    RetryOrder,
    Settled,
    WriteOffOrder,
    decode,
)
from metering.row import Row
from ops.console.errors import OpsError


class RowEntry(NamedTuple):
    """An entry of the push log about a row. `append_ms` is in Unix milliseconds."""

    partition: int
    offset: int
    append_ms: int
    identifier: str
    what: str


class Found(NamedTuple):
    """A row, its partition, and the identifier under which it was found."""

    partition: int
    identifier: str
    row: Row


@dataclass(slots=True)
class Story:
    """The history of a row's units, from their first record on.

    Attributes:
        found: the row that the caller asked for.
        entries: the log's entries about it, and about rows that were reissued for the same units.
        usage_fence: the usage log's fence when the units were planned; None if the log has lost that record.
    """

    found: Found
    entries: list[RowEntry] = field(default_factory=list)
    usage_fence: int | None = None


def rows_mentioned(records: Iterable[LogRecord], beginning: str) -> Iterator[tuple[str, LogRecord]]:
    """Yields the identifiers with this beginning that records contain: those that they settle, retry or write off.

    The rows themselves are in an earlier record of the partition; they are found by hashing them.
    """
    mention = re.compile(rb'"identifier":\s*"(' + beginning.encode() + rb'[0-9a-f]*)"')
    for record in records:
        for name in mention.findall(record.value or b""):
            yield name.decode(), record


def rows_named(records: Iterable[LogRecord], partition: int, beginning: str) -> Iterator[Found]:
    """Yields the rows whose identifier has this beginning, once per record that carries the row."""
    for record in records:
        for logged in rows_of(_decoded(record, partition), record.timestamp):
            if logged.identifier.startswith(beginning):
                yield Found(partition, logged.identifier, logged.row)


def tell(story: Story, records: Iterable[LogRecord]) -> None:
    """Adds the entries of the next records of the row's partition to the story."""
    names = {story.found.identifier} | {entry.identifier for entry in story.entries}
    account = story.found.row.account
    for record in records:
        if not any(each.encode() in (record.value or b"") for each in (account, *names)):
            continue
        decoded = _decoded(record, story.found.partition)
        if isinstance(decoded, Prepared) and any(row.units == story.found.row.units for row in decoded.rows):
            story.usage_fence = decoded.usage_fence if story.usage_fence is None else story.usage_fence
        for name, what in _said(decoded, story.found.row, names):
            names.add(name)
            story.entries.append(RowEntry(story.found.partition, record.offset, record.timestamp, name, what))


def _decoded(record: LogRecord, partition: int) -> PushRecord:
    try:
        return decode(record.value or b"")
    except ValidationError as error:
        raise OpsError(f"the push log's record {partition}/{record.offset} can't be read") from error


def _said(record: PushRecord, row: Row, names: set[str]) -> Sequence[tuple[str, str]]:
    """Returns a record's statements about the row's units: (identifier, words)."""
    match record:
        case Prepared():
            namespace = record.identity.namespace
            return [(each.identifier(namespace), "prepared") for each in record.rows if each.units == row.units]
        case Settled():
            return [
                (each.identifier, "delivered" if each.parked is None else f"parked: {each.parked}: {each.detail}")
                for each in record.settlements
                if each.identifier in names
            ]
        case RetryOrder() if record.identifier in names:
            return [(record.identifier, f"retry ordered by {record.who}: {record.why}")]
        case WriteOffOrder() if record.identifier in names:
            return [(record.identifier, f"write-off ordered by {record.who}: {record.why}")]
        case ReissueOrder() if record.row.units == row.units:
            new = record.row.identifier(record.namespace)
            words = f"reissue ordered by {record.who} in place of {record.old}: {record.why}"
            return [(new, words)]
        case ParkOrder() if record.row.units == row.units:
            return [(record.row.identifier(record.namespace), f"parking ordered by {record.who}: {record.why}")]
        case _:
            return []
