"""Finds delivered rows in the push log: Redis keeps only their sums."""

from collections.abc import Iterator

from pydantic import ValidationError

from metering.deliveries import DeliveryFold, LoggedRow, Wanted
from metering.push_log import PushRecord, decode
from ops.console.errors import OpsError
from ops.logs.reader import Bounds, LogReader


def find_rows(reader: LogReader, topic: str, shard: int, held: Bounds, wanted: Wanted) -> dict[str, LoggedRow]:
    """Returns the wanted rows in a stretch of a shard's push log, by identifier.

    Args:
        reader: reads the log.
        topic: the push log.
        shard: its partition.
        held: the offsets of the stretch.
        wanted: selects rows. Rows that lost a race are among them; they are never delivered.

    Raises:
        OpsError: Kafka does not answer, or a record can't be decoded.
    """
    fold, delivered = DeliveryFold(wanted), dict[str, LoggedRow]()
    for record, append_ms in _records(reader, topic, shard, held):
        delivered |= {name: logged for name, logged in fold.take(record, append_ms) if logged is not None}
    return delivered | fold.undelivered


def _records(reader: LogReader, topic: str, shard: int, held: Bounds) -> Iterator[tuple[PushRecord, int]]:
    for batch in reader.read(topic, shard, held.earliest, held.end):
        for record in batch:
            try:
                yield decode(record.value or b""), record.timestamp
            except ValidationError as error:
                raise OpsError(
                    f"{topic}/{shard}: record {record.offset} can't be read: was it written by a newer version?"
                ) from error
