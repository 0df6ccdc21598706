"""Finding a row in the push log by its identifier, and everything that the log says of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import ValidationError

from metering.counting import LogRecord
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
from ops.errors import OpsError


class Entry(NamedTuple):
    """Something that the push log says of a row. `append_ms`: Unix milliseconds."""

    partition: int
    offset: int
    append_ms: int
    identifier: str
    what: str


class Found(NamedTuple):
    """A row, where it was first seen, and under which identifier."""

    partition: int
    identifier: str
    row: Row


@dataclass(slots=True)
class Story:
    """A row's units, from their first record on.

    Attributes:
        found: the row that was asked for.
        entries: what the log says of it, and of rows that were issued for the same units instead of it.
        usage_fence: the usage log's fence when the units were planned; None where the log has lost that record.
    """

    found: Found
    entries: list[Entry] = field(default_factory=list)
    usage_fence: int | None = None


def rows_named(records: Iterable[LogRecord], partition: int, identifier: str) -> Iterator[Found]:
    """Rows whose identifier begins so, each once per record that carries it."""
    for record in records:
        for name, row in _rows(_decoded(record, partition)):
            if name.startswith(identifier):
                yield Found(partition, name, row)


def tell(story: Story, records: Iterable[LogRecord]) -> None:
    """Adds what the next records of the row's partition say."""
    names = {story.found.identifier} | {entry.identifier for entry in story.entries}
    for record in records:
        decoded = _decoded(record, story.found.partition)
        if isinstance(decoded, Prepared) and any(row.units == story.found.row.units for row in decoded.rows):
            story.usage_fence = decoded.usage_fence if story.usage_fence is None else story.usage_fence
        for name, what in _said(decoded, story.found.row, names):
            names.add(name)
            story.entries.append(Entry(story.found.partition, record.offset, record.timestamp, name, what))


def _decoded(record: LogRecord, partition: int) -> PushRecord:
    try:
        return decode(record.value or b"")
    except ValidationError as error:
        raise OpsError(f"the push log's record {partition}/{record.offset} can't be read") from error


def _rows(record: PushRecord) -> Iterator[tuple[str, Row]]:
    match record:
        case Prepared():
            for row in record.rows:
                yield row.identifier(record.identity.namespace), row
        case ReissueOrder() | ParkOrder():
            yield record.row.identifier(record.namespace), record.row
        case _:
            return


def _said(record: PushRecord, row: Row, names: set[str]) -> Sequence[tuple[str, str]]:
    """What a record says of the row's units: (identifier, words)."""
    match record:
        case Prepared():
            return [(name, "prepared") for name, each in _rows(record) if each.units == row.units]
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
