"""Delivered rows, found again in the push log: Redis keeps sums of them only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pydantic import ValidationError

from metering.push_log import ParkOrder, Prepared, PushRecord, ReissueOrder, Settled, decode
from metering.row import Row
from ops.errors import OpsError
from ops.log_reading import Bounds, LogReader


@dataclass(frozen=True, slots=True)
class LoggedRow:
    """A row of the push log and when it was prepared and delivered (Unix ms; None: not, or not any more)."""

    shard: int
    identifier: str
    namespace: str
    row: Row
    prepared_ms: int
    delivered_ms: int | None = None


Wanted = Callable[[Row, str], bool]
"""Whether a row with this identifier is looked for."""


def find_rows(reader: LogReader, topic: str, shard: int, held: Bounds, wanted: Wanted) -> dict[str, LoggedRow]:
    """The wanted rows among some records of a shard's push log, by identifier.

    Args:
        reader: of the log.
        topic: the push log.
        shard: its partition.
        held: from which record to which.
        wanted: which rows; rows that lost a race are among them, and are never delivered.

    Raises:
        OpsError: Kafka does not answer, or a record has no known meaning.
    """
    found = dict[str, LoggedRow]()
    for record, append_ms in _records(reader, topic, shard, held):
        for row, namespace, prepared_ms in _rows(record, append_ms):
            identifier = row.identifier(namespace)
            if identifier not in found and wanted(row, identifier):
                found[identifier] = LoggedRow(shard, identifier, namespace, row, prepared_ms)
        _follow(found, record, append_ms)
    return found


def _rows(record: PushRecord, append_ms: int) -> Iterator[tuple[Row, str, int]]:
    match record:
        case Prepared():
            yield from ((row, record.identity.namespace, append_ms) for row in record.rows)
        case ReissueOrder():
            yield record.row, record.namespace, append_ms
        case ParkOrder():
            yield record.row, record.namespace, record.prepared_ms


def _follow(found: dict[str, LoggedRow], record: PushRecord, append_ms: int) -> None:
    if isinstance(record, ParkOrder):
        identifier = record.row.identifier(record.namespace)
        if identifier in found:
            found[identifier] = replace(found[identifier], delivered_ms=None)
    if not isinstance(record, Settled):
        return
    for settlement in record.settlements:
        known = found.get(settlement.identifier)
        if known is not None and known.delivered_ms is None and settlement.parked is None:
            found[settlement.identifier] = replace(known, delivered_ms=append_ms)


def _records(reader: LogReader, topic: str, shard: int, held: Bounds) -> Iterator[tuple[PushRecord, int]]:
    for batch in reader.read(topic, shard, held.earliest, held.end):
        for record in batch:
            try:
                yield decode(record.value or b""), record.timestamp
            except ValidationError as error:
                raise OpsError(
                    f"{topic}/{shard}: record {record.offset} can't be read: was it written by a newer version?"
                ) from error
