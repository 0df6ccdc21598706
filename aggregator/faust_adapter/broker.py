"""`Positions`' broker on Faust's consumer and the thread that owns aiokafka's client."""

from collections.abc import Coroutine, Mapping, Set
from typing import TYPE_CHECKING, Any, cast

from aiokafka import TopicPartition

from aggregator.log_check import LogBounds
from aggregator.partition_batch import ChainLink

if TYPE_CHECKING:
    from aggregator.faust_adapter.consumer import BatchConsumer
    from aggregator.faust_adapter.fetch_thread import BatchThread


class FaustBroker:
    """A `Broker`; what each call means is written there."""

    def __init__(self, consumer: "BatchConsumer") -> None:
        self._consumer = consumer

    @property
    def _thread(self) -> "BatchThread":
        return cast("BatchThread", self._consumer._thread)  # noqa: SLF001 - made by our own consumer

    def assignment(self) -> Set[TopicPartition]:  # noqa: D102
        return cast("Set[TopicPartition]", self._consumer.assignment())

    async def bounds(self, tps: Set[TopicPartition]) -> dict[TopicPartition, LogBounds]:  # noqa: D102
        earliest = await self._consumer.earliest_offsets(*tps)
        ends = await self.stable_ends(tps)
        committed = await self._thread.committed(tps)
        return {tp: LogBounds(earliest[tp], ends[tp], committed[tp]) for tp in tps}

    async def stable_ends(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:  # noqa: D102
        # Faust's name for what a reader of committed records is told.
        return cast("dict[TopicPartition, int]", await self._consumer.highwaters(*tps))

    async def high_watermarks(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:  # noqa: D102
        return await self._thread.high_watermarks(tps)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:  # noqa: D102
        return bool(await self._thread.commit(offsets))

    async def begin(self, links: Mapping[TopicPartition, ChainLink]) -> None:  # noqa: D102
        await self._thread.begin(links)

    async def rest(self, tp: TopicPartition, generation: int) -> None:  # noqa: D102
        await self._thread.rest(tp, generation)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:  # noqa: D102
        self._consumer.add_future(work)

    async def crash(self, error: BaseException) -> None:  # noqa: D102
        await self._consumer.app.crash(error)

    def is_stopping(self) -> bool:  # noqa: D102
        return bool(self._consumer.should_stop)
