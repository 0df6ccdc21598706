"""The push log read back some hours: when Stripe took what."""

from typing import Protocol

from aiokafka import TopicPartition
from pydantic import ValidationError

from metering.push_log import decode
from runtime.async_consumer import AsyncConsumer
from stripe_sync.errors import UnreadablePushLogError
from stripe_sync.push_log.deliveries import Deliveries
from stripe_sync.push_log.log import KafkaPushLog, PushLogBounds, Read

HOUR_MS = 3600 * 1000
LOOK_BACK_MS = (HOUR_MS, 24 * HOUR_MS)  # how long rows are on their way, mostly; then the whole log is read


class PushHistory(Protocol):
    """What `PushLog` reads, and where a time is in it."""

    async def bounds(self, shard: int) -> PushLogBounds:
        """What the shard's log holds now."""
        ...

    async def offset_at(self, shard: int, time_ms: int) -> int | None:
        """The first offset appended at that Unix millisecond or later; None for none."""
        ...

    async def read(self, shard: int, start: int, end: int) -> Read:
        """Some records from `start` on, below `end`."""
        ...


class KafkaPushHistory(KafkaPushLog):
    """Through a consumer of its own, outside the group. For one shard at a time."""

    def __init__(self, topic: str, consumer: AsyncConsumer) -> None:
        super().__init__(topic, consumer, producer=None)

    async def offset_at(self, shard: int, time_ms: int) -> int | None:
        """The first offset appended then or later."""
        place = TopicPartition(self._topic, shard)
        found = (await self._consumer.offsets_for_times({place: max(0, time_ms)}))[place]
        return None if found is None else int(found.offset)

    async def read(self, shard: int, start: int, end: int) -> Read:
        """Reads on; what was fetched of another shard is dropped."""
        place = TopicPartition(self._topic, shard)
        if self._consumer.assignment() != {place}:
            self._consumer.assign([place])
            self._position.clear()
        return await super().read(shard, start, end)


class Tail:
    """The deliveries of a shard since some moment, and on to the log's end whenever asked."""

    def __init__(self, history: PushHistory, shard: int, since_ms: int) -> None:
        self._history = history
        self._shard = shard
        self._since_ms = since_ms
        self._position = 0
        self.deliveries = Deliveries(since_ms)

    async def open(self) -> None:
        """Reads from where the rows that were delivered since were prepared.

        Raises:
            UnreadablePushLogError: a record has no known meaning.
        """
        for look_back_ms in (*LOOK_BACK_MS, None):
            self.deliveries = Deliveries(self._since_ms)
            self._position = await self._start(look_back_ms)
            await self.advance()
            if not self.deliveries.strangers:
                return

    async def advance(self) -> None:
        """Reads what has come since.

        Raises:
            UnreadablePushLogError: a record has no known meaning.
        """
        end = (await self._history.bounds(self._shard)).stable
        while self._position < end:
            found = await self._history.read(self._shard, self._position, end)
            for entry in found.entries:
                try:
                    self.deliveries.take(decode(entry.value or b""), entry.append_ms)
                except ValidationError as error:
                    raise UnreadablePushLogError(f"shard {self._shard}: record {entry.offset} can't be read") from error
            self._position = found.next

    async def _start(self, look_back_ms: int | None) -> int:
        earliest, end, _ = await self._history.bounds(self._shard)
        if look_back_ms is None:
            return earliest
        found = await self._history.offset_at(self._shard, self._since_ms - look_back_ms)
        return end if found is None else max(earliest, found)
