"""The push log as a shard's worker sees it."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from aiokafka import AIOKafkaProducer, TopicPartition

from metering.counting import Mark
from runtime.async_consumer import AsyncConsumer
from runtime.clock import Clock, SystemClock
from runtime.log_ends import high_watermarks
from stripe_sync.errors import UnreadablePushLogError

POLL_MS = 500
CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: its offset, its append time in Unix milliseconds, its bytes."""

    offset: int
    append_ms: int
    value: bytes | None

    @property
    def mark(self) -> Mark:
        """What the record is recognised by."""
        return Mark(self.offset, self.append_ms, crc32(str(self.append_ms).encode(), crc32(self.value or b"")))


class PushLogBounds(NamedTuple):
    """What a shard's log holds: its earliest offset, last stable offset, high watermark (`runtime.log_ends`).

    The last two differ while somebody's transaction is open.
    """

    earliest: int
    stable: int
    high: int


class Read(NamedTuple):
    """What came of a read: records, and the offset to read on from.

    That is not behind the last record only: no reader is shown what tells of a transaction's end, nor what was aborted.
    """

    entries: list[Entry]
    next: int


class PushLog(Protocol):
    """One partition per shard, appended to and read back."""

    def name(self, shard: int) -> str:
        """Topic and partition, for people."""
        ...

    async def append(self, shard: int, value: bytes) -> int:
        """Gives the record's offset once all replicas have it, below 0 where the broker does not tell it.

        An error leaves open whether it is, or will be, in the log.
        """
        ...

    async def bounds(self, shard: int) -> PushLogBounds:
        """As of now."""
        ...

    async def read(self, shard: int, start: int, end: int) -> Read:
        """Some records from `start` on, below `end`. Whoever reads on from what it gives comes to `end`."""
        ...


class KafkaPushLog:
    """The push log on aiokafka: reads through the group consumer that also decides who owns which shard."""

    def __init__(
        self, topic: str, consumer: AsyncConsumer, producer: AIOKafkaProducer | None, clock: Clock = CLOCK
    ) -> None:
        """`producer` None: only read."""
        self._clock = clock
        self._topic = topic
        self._consumer = consumer
        self._producer = producer
        self._position: dict[int, int] = {}
        self.skew_seconds: float | None = None  # the broker's clock less ours, at the last append

    def name(self, shard: int) -> str:
        """Topic and partition."""
        return f"{self._topic}-{shard}"

    async def append(self, shard: int, value: bytes) -> int:
        """Appends with acks=all to the shard's partition.

        The offset is below 0 where the broker only remembers that it has the record: a repetition of one that came
        long before.
        """
        if self._producer is None:
            raise RuntimeError("this process only folds the push log: it must not append to it")
        appended = await self._producer.send_and_wait(self._topic, value, str(shard).encode(), partition=shard)
        if appended.offset >= 0:
            self.skew_seconds = (appended.timestamp - self._clock.now_ms()) / 1000
        return int(appended.offset)

    async def bounds(self, shard: int) -> PushLogBounds:
        """The high watermark is asked for first: whatever is committed by then can be read when the stable end is."""
        place = TopicPartition(self._topic, shard)
        consumer = self._consumer
        earliest, high = await asyncio.gather(consumer.beginning_offsets([place]), high_watermarks(consumer, [place]))
        stable = (await consumer.end_offsets([place]))[place]
        return PushLogBounds(earliest[place], min(stable, high[place]), high[place])

    async def read(self, shard: int, start: int, end: int) -> Read:
        """Reads on from `start`, seeking only where the client stands elsewhere.

        What the client fetched beyond `end` is left for another read.

        Raises:
            UnreadablePushLogError: the batch at `start` can't be read.
        """
        place = TopicPartition(self._topic, shard)
        if self._position.get(shard) != start:
            self._consumer.seek(place, start)
        timeout_ms = POLL_MS if start < end else 0
        fetched: list[Any] = (await self._consumer.getmany(place, timeout_ms=timeout_ms)).get(place, [])
        unreadable = self._consumer.unreadable.get(place)
        if unreadable is not None and not fetched:
            raise UnreadablePushLogError(
                f"{unreadable.at(self._topic, shard)}: what it tells of rows is unknown. Restore it from a replica, or "
                "from a copy of the broker's disk (docs/operating/unreadable-batches.md)"
            )
        position: int = await self._consumer.position(place)
        self._position[shard] = position
        entries = [Entry(record.offset, record.timestamp, record.value) for record in fetched if record.offset < end]
        return Read(entries, max(start, min(position, end)))

    def forget(self, shard: int) -> None:
        """The shard went to another worker: the client's position is void."""
        self._position.pop(shard, None)
