"""How aiokafka's fetcher is given what a broker gave: every codec within bounds, and a name for what can't be read."""

from collections.abc import Callable, Iterator
from typing import Any

from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

from metering.counting import LogRecord
from runtime.record_batch import (
    LenientBuffer,
    UnreadableBatchError,
    base_offset,
    batch_size,
    shape_fault,
    start_after,
    unpacked,
)
from runtime.unpacking import MAX_UNPACKED_BYTES


class NoRoomError(Exception):
    """Enough was unpacked in one read: the rest is to be fetched again."""


class Room:
    """How much may be unpacked in one read, of all partitions together: as much as one batch may come to, and one more.

    Else some hundred batches of some kilobytes each would come to gigabytes.
    """

    def __init__(self) -> None:
        self._bytes = MAX_UNPACKED_BYTES

    def refill(self) -> None:
        """Another read begins."""
        self._bytes = MAX_UNPACKED_BYTES

    def unpack(self, raw: memoryview) -> memoryview | bytes:
        """A batch unpacked.

        Raises:
            NoRoomError: there was enough before.
            UnpackError: it can't be.
        """
        if self._bytes <= 0:
            raise NoRoomError
        plain = unpacked(raw)
        self._bytes -= len(plain)
        return plain


class Batches:
    """A partition's part of an answer, in place of aiokafka's `MemoryRecords`.

    Nearly every batch is the one that aiokafka parses in C, as it is. What is wrong with one is only looked for once it
    could not be read.
    """

    def __init__(self, data: bytes | None) -> None:
        """`data` may be None where a broker has nothing to give."""
        self.room = Room()
        self._data = data = data or b""
        self._fast = MemoryRecords(data)
        self._given = 0
        self._found = (1, 0)  # where a batch begins, counted from 1
        first = memoryview(data)
        self._shape_fault = shape_fault(first[: batch_size(first)]) if data else None
        # A broker counts bytes and may cut off the last batch, but not the first.
        self.has_next: Callable[[], bool] = self._fast.has_next if self._shape_fault is None else self._is_new

    def size_in_bytes(self) -> int:
        """Of all that came."""
        return len(self._data)

    def next_batch(self) -> Any:
        """The next batch. Whatever is wrong with it is raised by it, or here."""
        self._given += 1
        if self._shape_fault is not None:
            raise ValueError(self._shape_fault)
        batch = self._fast.next_batch()
        return _PackedBatch(batch, self._last()[0], self.room) if batch.compression_type else batch

    def leniently(self) -> "_Once":
        """The batch that was given last, to be read by another parser."""
        return _Once(self._last()[0])

    def fault(self, error: Exception) -> UnreadableBatchError:
        """What is wrong with the batch that was given last, whose reading has raised `error`."""
        raw, rest = self._last()
        why = shape_fault(raw)
        if why is None:
            batch = DefaultRecordBatch(raw)
            if batch.validate_crc():
                return UnreadableBatchError(batch.base_offset, batch.next_offset, str(error))
            why = "its checksum (CRC-32C) is wrong"
        return UnreadableBatchError(base_offset(raw), start_after(raw, rest, _is_right), why)

    def _is_new(self) -> bool:
        return not self._given

    def _last(self) -> tuple[memoryview, memoryview]:
        """The bytes of the batch that was given last, as far as they came; and those behind it."""
        number, at = self._found
        data = memoryview(self._data)
        while number < self._given:
            number, at = number + 1, at + batch_size(data[at:])
        self._found = (number, at)
        end = at + batch_size(data[at:])
        return data[at:end], data[end:]


def _is_right(raw: memoryview) -> bool:
    right: bool = DefaultRecordBatch(raw).validate_crc()
    return right


class _PackedBatch:
    """What the fetcher uses of a batch; it is unpacked when it is read, by other means than aiokafka's."""

    def __init__(self, packed: Any, raw: memoryview, room: Room) -> None:
        self._raw = raw
        self._room = room
        self.validate_crc: Callable[[], bool] = packed.validate_crc
        self.base_offset: int = packed.base_offset
        self.next_offset: int = packed.next_offset
        self.producer_id: int = packed.producer_id
        self.is_transactional: bool = packed.is_transactional
        self.is_control_batch: bool = packed.is_control_batch

    def __iter__(self) -> Iterator[LogRecord]:
        return iter(DefaultRecordBatch(self._room.unpack(self._raw)))


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's parser in Python: it takes ten times as long, and lets itself be told how a name is decoded."""

    def __init__(self, plain: memoryview | bytes) -> None:
        super().__init__(plain)
        self._buffer: bytearray = LenientBuffer(self._buffer)

    def validate_crc(self) -> bool:
        """It was right."""
        return True


class _Once:
    """One batch, where the fetcher looks for all of them."""

    def __init__(self, raw: memoryview) -> None:
        self._raw: memoryview | None = raw

    def has_next(self) -> bool:
        return self._raw is not None

    def next_batch(self) -> _LenientBatch:
        raw, self._raw = self._raw, None
        return _LenientBatch(unpacked(raw or memoryview(b"")))


def readable_records(
    records: PartitionRecords, pass_by: Callable[[UnreadableBatchError], bool], room: Room
) -> Iterator[LogRecord]:
    """A partition's fetched records up to the first batch that can't be read, and that `pass_by` does not let pass.

    Args:
        records: the fetcher's own, fresh; it keeps the position. Of its own it raises in the middle of a read.
        pass_by: is told of each such batch; True to read on behind it, if its end is known.
        room: where it is used up, the records end too; the position is where to go on.
    """
    records._consumer_record = _as_parsed  # aiokafka makes another object of each record, which nobody needs
    records._records_iterator = None  # aiokafka's own, in a cycle with megabytes: garbage is collected seldom
    batches = records._records
    batches.room = room
    while True:
        try:
            yield from records._unpack_records()
            if records._records is batches:
                return
            records._records = batches
        except NoRoomError:
            return
        except UnicodeDecodeError:
            records._records = batches.leniently()  # from its beginning: what was given of it already is skipped
        except Exception as error:
            records._records = batches
            fault = batches.fault(error)
            if not pass_by(fault) or fault.end is None:
                return
            records.next_fetch_offset = max(records.next_fetch_offset, fault.end)


def _as_parsed(_tp: object, record: LogRecord) -> LogRecord:
    return record
