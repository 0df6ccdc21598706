"""A Faust transport whose consumer hands over whole partition batches, from positions that Redis decides.

Stock Faust gives one message at a time and commits what it has acknowledged, exceptions included. Here a batch is
an interval [start, end) of one partition's log (`fetch_thread`), and the fence in the shard's state says which interval
comes next (`aggregator.positions`).

What is overridden, and why, of faust-streaming 0.15 on aiokafka 0.14:

- `BatchConsumer._drain_messages`: one hand-over per interval, no per-message callback.
- `BatchConsumer.seek_to_committed`: called after every rebalance; seeks to the fences.
- `BatchConsumer.on_partitions_revoked`: voids what is queued.
- `BatchConsumer.wait_empty`, `.commit`: Kafka's committed offsets are written for lag tools, and to know a refold by.
- `BatchConsumer.verify_event_path`: the stock one reports slow streams that do not exist here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Set
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from aggregator.broker import Broker
from aggregator.faust_adapter.broker import FaustBroker
from aggregator.faust_adapter.fetch_thread import POLL_SECONDS, BatchThread
from aggregator.partition_batch import PartitionBatch
from aggregator.positions import Positions


class BatchConsumer(driver.Consumer):
    """Hands intervals to the transport's sink, and Faust's hooks to `positions`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        transport = cast("BatchTransport", self.transport)
        self._sink = transport.sink
        self.positions = transport.make_positions(FaustBroker(self))

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                batches, _ = await self._wait_next_records(timeout=POLL_SECONDS)
                for batch in cast("dict[TP, PartitionBatch]", batches or {}).values():
                    await self.hand_over(batch)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def hand_over(self, batch: PartitionBatch) -> None:
        """Gives a batch to the sink, unless it is void."""
        if not self.positions.is_current(batch):
            return
        try:
            await self._sink(batch)
        except asyncio.CancelledError:
            # Every rebalance clears the flow-controlled queue, which cancels whoever waits to put into it. A batch
            # that is lost here or on its way is a gap in the chain: the fence refuses what follows.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Faust's hook before every rebalance."""
        self.positions.revoke(cast("set[TopicPartition]", revoked))
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Faust's hook on a rebalance and at the end."""
        await self.positions.settle()

    async def seek_to_committed(self) -> dict[TP, int]:
        """Faust's hook after every rebalance."""
        return cast("dict[TP, int]", await self.positions.seek_all())

    async def commit(self, topics: object = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002, ARG002
        """Faust's hook whenever it would commit what it has acknowledged."""
        return await self.positions.commit()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watchdog for streams, which are not used here."""


class BatchTransport(driver.Transport):
    """Faust's transport with our consumer; what it has no value for is set when it is wired."""

    Consumer = BatchConsumer
    sink: Callable[[PartitionBatch], Awaitable[None]]
    make_positions: Callable[[Broker], Positions]
    compacted: Set[str]
    client_options: dict[str, Any]
