"""The aggregator's consumer without Faust and aiokafka: the product's own logic over the simulated broker.

What `aggregator.consumer.BatchConsumer` decides (generations, the chain of intervals, how a position is found again)
is its own code, borrowed function by function; what Faust, the fetching thread and the broker do is simulated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from random import Random
from typing import Any

from faust.types import TP

from aggregator.consumer import BatchConsumer, OpenFold, PartitionBatch, Place
from aggregator.dispatch import Dispatcher
from metering.counting import Interval
from tests.simulation.kafka import SimulatedKafka

QUEUED_BATCHES = 2
FETCH_SECONDS = 0.25
MOST_RECORDS = 12


class FetchThread:
    """What the thread that owns aiokafka's client does: reads on from each position, as intervals without holes."""

    def __init__(self, kafka: SimulatedKafka, random: Random) -> None:
        self._kafka = kafka
        self._random = random
        self.chain: dict[TP, Place] = {}

    async def begin(self, places: Mapping[TP, Place]) -> None:
        """Begins new chains there."""
        await asyncio.sleep(self._random.random() * 0.01)
        self.chain.update(places)

    def fetch(self) -> list[PartitionBatch]:
        """What can be read now: a part of it, and where an offset was skipped, nothing but a new position."""
        batches = []
        for tp, (start, generation) in list(self.chain.items()):
            log = self._kafka.logs[tp.topic, tp.partition]
            records = log.read(start, self._random.randint(1, MOST_RECORDS))
            end = records[-1].offset + 1 if records else start
            if not log.read(end, 1) and self._random.random() < 0.7:  # nothing but control records up to the end
                end = max(end, log.stable_end)
            if end > start:
                self.chain[tp] = Place(end, generation)
                batches.append(PartitionBatch(tp, Interval(start, end, records), generation))
        return batches


class SimulatedConsumer:
    """A `BatchConsumer` in all but its base class."""

    is_current = BatchConsumer.is_current
    begin = BatchConsumer.begin
    finish = BatchConsumer.finish
    resync = BatchConsumer.resync
    bounds = BatchConsumer.bounds
    wait_empty = BatchConsumer.wait_empty
    seek_to_committed = BatchConsumer.seek_to_committed
    _void = BatchConsumer._void
    _hand_over = BatchConsumer._hand_over
    _find_position = BatchConsumer._find_position
    _seek_to_fences = BatchConsumer._seek_to_fences
    should_stop = False

    def __init__(
        self, kafka: SimulatedKafka, random: Random, open_fold: OpenFold, crash: Callable[[BaseException], None]
    ) -> None:
        self._kafka = kafka
        self._random = random
        self._crash = crash
        self.open_fold = open_fold
        self._generation: dict[TP, int] = {}
        self.applied: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._resyncing: set[TP] = set()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._assigned: set[TP] = set()
        self._thread = FetchThread(kafka, random)
        self._queue: asyncio.Queue[PartitionBatch] = asyncio.Queue(QUEUED_BATCHES)
        self._futures: set[asyncio.Task[Any]] = set()
        self.sink: Callable[[PartitionBatch], Awaitable[None]] = self._queue.put
        self._batches = self.app = self

    # What Faust and the broker do.

    def assignment(self) -> set[TP]:
        """The partitions that this process believes to have."""
        return self._assigned

    def add_future(self, work: Coroutine[Any, Any, object]) -> None:
        """Starts a task of this consumer."""
        task = asyncio.ensure_future(work)
        self._futures.add(task)
        task.add_done_callback(self._futures.discard)

    async def crash(self, error: BaseException) -> None:
        """Faust's end of a process."""
        self._crash(error)

    async def commit(self, topics: object = None) -> bool:
        """Committed offsets are never read."""
        return False

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        """As of now."""
        bounds = await self._kafka.bounds(tuple(tp) for tp in tps)
        return {tp: bounds[tuple(tp)][0] for tp in tps}

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        """Last stable offsets, as of now."""
        bounds = await self._kafka.bounds(tuple(tp) for tp in tps)
        return {tp: bounds[tuple(tp)][1] for tp in tps}

    async def rebalance(self, tps: set[TP]) -> None:
        """The eager protocol: everything is revoked, then what is assigned is found in Redis."""
        for tp in sorted(self._assigned):
            self._void(tp)
        self.applied.clear()
        self._thread.chain.clear()
        if self._random.random() < 0.5:
            while not self._queue.empty():
                self._queue.get_nowait()
        await self.wait_empty()
        self._assigned = tps
        await self.seek_to_committed()

    async def fetch_forever(self) -> None:
        """The way from the thread to the queue."""
        while True:
            await asyncio.sleep(FETCH_SECONDS * self._random.random())
            for batch in self._thread.fetch():
                await asyncio.sleep(self._random.random() * 0.01)
                await self._hand_over(batch)

    async def dispatch_forever(self, dispatcher: Dispatcher) -> None:
        """The counting agent."""
        while True:
            await dispatcher.take(await self._queue.get())
