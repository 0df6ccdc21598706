"""The push log as a shard's worker sees it."""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from metering.counting import Mark
from runtime.clock import Clock, SystemClock

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


class PushLog(Protocol):
    """One partition per shard, appended to and read back."""

    async def append(self, shard: int, value: bytes) -> None:
        """Returns once all replicas have it. An error leaves open whether it is, or will be, in the log."""
        ...

    async def bounds(self, shard: int) -> tuple[int, int]:
        """The earliest offset and the last stable offset, as of now."""
        ...

    async def read(self, shard: int, start: int, end: int) -> list[Entry]:
        """Some records from `start` on, below `end`; at least one unless the log has none there."""
        ...


class KafkaPushLog:
    """The push log on aiokafka: reads through the group consumer that also decides who owns which shard."""

    def __init__(
        self, topic: str, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer | None, clock: Clock = CLOCK
    ) -> None:
        """`producer` None: only read."""
        self._clock = clock
        self._topic = topic
        self._consumer = consumer
        self._producer = producer
        self._position: dict[int, int] = {}
        self.skew_seconds = 0.0  # the broker's clock less ours, at the last append

    async def append(self, shard: int, value: bytes) -> None:
        """Appends with acks=all to the shard's partition."""
        if self._producer is None:
            raise RuntimeError("this process only folds the push log: it must not append to it")
        appended = await self._producer.send_and_wait(self._topic, value, str(shard).encode(), partition=shard)
        self.skew_seconds = (appended.timestamp - self._clock.now_ms()) / 1000

    async def bounds(self, shard: int) -> tuple[int, int]:
        """The earliest offset and the last stable offset."""
        place = TopicPartition(self._topic, shard)
        consumer = self._consumer
        earliest, end = await asyncio.gather(consumer.beginning_offsets([place]), consumer.end_offsets([place]))
        return earliest[place], end[place]

    async def read(self, shard: int, start: int, end: int) -> list[Entry]:
        """Reads on from `start`, seeking only where the client stands elsewhere.

        What the client fetched beyond `end` is left for another read.
        """
        place = TopicPartition(self._topic, shard)
        if self._position.get(shard) != start:
            self._consumer.seek(place, start)
        timeout_ms = POLL_MS if start < end else 0
        fetched: list[Any] = (await self._consumer.getmany(place, timeout_ms=timeout_ms)).get(place, [])
        self._position[shard] = fetched[-1].offset + 1 if fetched else start
        return [Entry(record.offset, record.timestamp, record.value) for record in fetched if record.offset < end]

    def forget(self, shard: int) -> None:
        """The shard went to another worker: the client's position is void."""
        self._position.pop(shard, None)
