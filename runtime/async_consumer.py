"""aiokafka's consumer, made to read whatever lies in a log: every process reads Kafka through it.

What is put in the place of its own in aiokafka 0.14, and why:

- `fetcher.MemoryRecords`, by which the fetcher reads an answer: by `Batches`. That name is the only way in; it serves
  every consumer of the process.
- `Fetcher._proc_fetch_request`: a batch that can't be read ends its partition's records. aiokafka raises in the middle
  of a read, loses what it had read with it, of other partitions too, and goes on behind it.
- `Fetcher.fetched_records`: what one read unpacks has a bound.
- `AIOKafkaClient.send`, for its answers alone: where a batch's header is damaged, the broker itself says that it can't
  read it. aiokafka would ask again for ever.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.fetch import FetchRequest

from metering.counting import LogRecord
from runtime.async_batches import Batches, Room, readable_records
from runtime.record_batch import UnreadableBatchError

fetcher.MemoryRecords = Batches

PassBy = Callable[[TopicPartition, UnreadableBatchError], bool]


class AsyncConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Reads up to a batch that can't be read, and stays before it: the partition is paused until it is sought again.

    `unreadable` has the partitions where this has happened, and why. Records have no topic and partition: they come by
    partition.
    """

    def __init__(self, *topics: str, pass_by: PassBy = lambda _place, _error: False, **options: Any) -> None:
        """`pass_by` is told of each batch that can't be read; True to read on behind it (where its end is known)."""
        super().__init__(*topics, **options)
        self.unreadable: dict[TopicPartition, UnreadableBatchError] = {}
        self._pass_by = pass_by

    async def start(self) -> None:
        """Connects."""
        await super().start()
        room, read = Room(), self._fetcher.fetched_records
        receive, send = self._fetcher._proc_fetch_request, self._client.send

        async def read_within_bounds(*args: Any, **options: Any) -> Any:
            room.refill()
            return await read(*args, **options)

        async def receive_readable(*args: Any) -> bool:
            received: bool = await receive(*args)
            for place, fetched in self._fetcher._records.items():
                if isinstance(fetched, FetchResult) and isinstance(fetched._partition_records, PartitionRecords):
                    records = readable_records(fetched._partition_records, partial(self._met, place), room)
                    fetched._partition_records = _Readable(fetched._partition_records, records)
            return received

        async def send_and_look(node: int, request: object, **options: Any) -> Any:
            answer = await send(node, request, **options)
            if isinstance(request, FetchRequest):
                self._look(request, answer)
            return answer

        self._fetcher.fetched_records = read_within_bounds
        self._fetcher._proc_fetch_request, self._client.send = receive_readable, send_and_look

    async def stop(self) -> None:
        """Leaves Kafka.

        Aiokafka's fetcher awaits the fetches that it has cancelled: where one was waiting for a broker that is away,
        their cancellation would look like the caller's, and the client would stay open.
        """
        try:
            await super().stop()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            fetches = list(self._fetcher._pending_tasks)
            for fetch in fetches:
                fetch.cancel()
            await asyncio.gather(*fetches, return_exceptions=True)
            await self._client.close()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Reads on from there, whatever was met before."""
        if self.unreadable.pop(partition, None) is not None:
            self._subscription.resume(partition)
        super().seek(partition, offset)

    def _look(self, request: FetchRequest, answer: Any) -> None:
        asked = {TopicPartition(topic, each[0]): each[1] for topic, places in request.topics for each in places}
        for topic, parts in answer.topics:
            for partition, code, *_ in parts:
                place = TopicPartition(topic, partition)
                if code == CorruptRecordException.errno and self._stands_at(place, asked[place]):
                    why = f"the broker itself fails to ({CorruptRecordException.message})"
                    self._met(place, UnreadableBatchError(asked[place], None, why))

    def _stands_at(self, place: TopicPartition, offset: int) -> bool:
        if not self._subscription.is_assigned(place):
            return False
        state = self._subscription.subscription.assignment.state_value(place)
        return bool(state.has_valid_position and state.position == offset)

    def _met(self, place: TopicPartition, error: UnreadableBatchError) -> bool:
        if self._pass_by(place, error) and error.end is not None:
            return True
        self.unreadable[place] = error
        self._subscription.pause(place)
        return False


class _Readable:
    """Where a `FetchResult` has its `PartitionRecords`."""

    def __init__(self, records: PartitionRecords, readable: Iterator[LogRecord]) -> None:
        self._records = records
        self._iterator = readable

    @property
    def next_fetch_offset(self) -> int:
        """Where the partition is read on."""
        offset: int = self._records.next_fetch_offset
        return offset

    def __iter__(self) -> Iterator[LogRecord]:
        return self._iterator

    def __next__(self) -> LogRecord:
        return next(self._iterator)
