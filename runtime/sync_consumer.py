"""kafka-python's consumer, made to read whatever lies in a log: every command reads Kafka through it.

What is put in the place of its own in kafka-python 3.0, and why:

- `fetcher.MemoryRecords`, by which the fetcher reads an answer: by `_Batches`, which unpack within bounds, take a
  header's name that is not UTF-8, and name what can't be read. It serves every consumer of the process.
- `Fetcher.PartitionRecords.take`: what has raised is given up; kafka-python asks it for more, for ever. The error says
  in which log the batch lies.
"""

from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer
from kafka.consumer import fetcher
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

from runtime.record_batch import LenientBuffer, UnreadableBatchError, base_offset, shape_fault, start_after, unpacked
from runtime.unpacking import MAX_UNPACKED_BYTES


class SyncConsumer(KafkaConsumer):  # type: ignore[misc]
    """Its `poll` gives what lies before a batch that can't be read; after that it raises `UnreadableBatchError`."""

    def __init__(self, *topics: str, **options: Any) -> None:
        super().__init__(*topics, **options)
        self._fetcher.PartitionRecords = _PartitionRecords


class _PartitionRecords(fetcher.Fetcher.PartitionRecords):  # type: ignore[misc]
    def take(self, n: int | None = None) -> list[Any]:
        try:
            taken: list[Any] = super().take(n)
        except UnreadableBatchError as error:
            self.drain()
            raise error.at(*self.topic_partition) from error
        return taken


class _Batches(MemoryRecords):  # type: ignore[misc]
    _next_slice: memoryview | None
    _unpacked_bytes = 0  # so far

    def __init__(self, data: bytes | None) -> None:
        super().__init__(data or b"")
        if self._next_slice is None and data:  # a broker may cut off the last batch, but not the first
            self._next_slice, self._pos = memoryview(data), len(data)

    def next_batch(self) -> "_Batch | None":
        raw = self._next_slice
        if raw is None or self._unpacked_bytes > MAX_UNPACKED_BYTES:
            return None  # what is left is fetched again: some hundred batches might come to gigabytes
        self._cache_next()
        fault, rest = shape_fault(raw), self._next_slice or memoryview(b"")
        if fault is not None:
            raise UnreadableBatchError(base_offset(raw), start_after(raw, rest, _is_right), fault)
        return _Batch(raw, rest, self._count)

    def _count(self, unpacked_bytes: int) -> None:
        self._unpacked_bytes += unpacked_bytes


class _Batch(DefaultRecordBatch):  # type: ignore[misc]
    _buffer: bytearray
    _decompressed: bool

    def __init__(self, raw: memoryview, rest: memoryview, count: Callable[[int], None]) -> None:
        super().__init__(raw)
        self._places = raw, rest
        self._count = count

    def validate_crc(self) -> bool:
        if not super().validate_crc():
            end = start_after(*self._places, _is_right)
            raise UnreadableBatchError(self.base_offset, end, "its checksum (CRC-32C) is wrong")
        return True

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except StopIteration:
            raise
        except Exception as error:
            if isinstance(error.__context__, UnicodeDecodeError) and not isinstance(self._buffer, LenientBuffer):
                self._buffer = LenientBuffer(self._buffer)
                return next(self)
            raise self._unreadable(error) from error

    def _maybe_uncompress(self) -> None:
        if self._decompressed or not self.compression_type:
            return
        try:
            self._buffer = bytearray(unpacked(memoryview(self._buffer)))
        except Exception as error:
            raise self._unreadable(error) from error
        self._count(len(self._buffer))
        self._decompressed = True

    def _unreadable(self, error: Exception) -> UnreadableBatchError:
        return UnreadableBatchError(self.base_offset, self.next_offset, str(error))


def _is_right(raw: memoryview) -> bool:
    right: bool = DefaultRecordBatch(raw).validate_crc()
    return right


fetcher.MemoryRecords = _Batches
