"""The aggregator's consumer without Faust and aiokafka: the product's own logic over the simulated broker.

What `aggregator.consumer.BatchConsumer` decides (generations, the chain of intervals, how a position is found again)
is its own code, borrowed function by function; what Faust, the fetching thread and the broker do is simulated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from random import Random
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from aggregator.consumer import BatchConsumer, OpenFold
from aggregator.dispatch import Dispatcher
from aggregator.fetch_thread import PartitionBatch
from aggregator.fetch_thread import Place as Start
from aggregator.retrying import GIVE_UP_SECONDS
from metering.counting import Interval
from tests.simulation.kafka import Place, SimulatedKafka
from tests.simulation.weather import Weather

QUEUED_BATCHES = 2
COMMIT_SECONDS = 2.0
PACES = ((0.25, 12), (0.25, 12), (0.5, 6), (1.0, 4))  # seconds between fetches at most, records of one
CALM_PACE = PACES[0]


class FetchThread:
    """What the thread that owns aiokafka's client does: reads on from each position, as intervals without holes."""

    def __init__(self, kafka: SimulatedKafka, weather: Weather, random: Random) -> None:
        self._kafka = kafka
        self._weather = weather
        self._random = random
        self._pace = random.choice(PACES)
        self.chain: dict[TP, Start] = {}

    async def begin(self, places: Mapping[TP, Start]) -> None:
        """Begins new chains there."""
        await asyncio.sleep(self._random.random() * 0.01)
        self.chain.update(places)

    async def committed(self, tps: set[TP]) -> dict[TP, int]:
        """What was committed."""
        committed = await self._kafka.committed(_place(tp) for tp in sorted(tps))
        return {tp: committed[_place(tp)] for tp in tps}

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commits; a failure is none of the consumer's business."""
        try:
            await self._kafka.commit({_place(tp): offset for tp, offset in offsets.items()})
        except KafkaError:
            return False
        return True

    @property
    def pace(self) -> tuple[float, int]:
        """Seconds between fetches at most, and how many records one gives at most: a refold may take its time."""
        return CALM_PACE if self._weather.is_calm else self._pace

    def fetch(self) -> list[PartitionBatch]:
        """What can be read now: a part of it, and where an offset was skipped, nothing but a new position."""
        batches = []
        for tp, (start, generation, _) in list(self.chain.items()):
            log = self._kafka.logs[tp.topic, tp.partition]
            records = log.read(start, self._random.randint(1, self.pace[1]))
            end = records[-1].offset + 1 if records else start
            if not log.read(end, 1) and self._random.random() < 0.7:  # nothing but control records up to the end
                end = max(end, log.stable_end)
            if end > start:
                self.chain[tp] = Start(end, generation)
                batches.append(PartitionBatch(tp, Interval(start, end, records), generation))
        return batches


class SimulatedConsumer:
    """A `BatchConsumer` in all but its base class."""

    is_current: Any = BatchConsumer.is_current
    begin: Any = BatchConsumer.begin
    finish: Any = BatchConsumer.finish
    resync: Any = BatchConsumer.resync
    bounds: Any = BatchConsumer.bounds
    wait_empty: Any = BatchConsumer.wait_empty
    commit: Any = BatchConsumer.commit
    seek_to_committed: Any = BatchConsumer.seek_to_committed
    _void: Any = BatchConsumer._void
    _hand_over: Any = BatchConsumer._hand_over
    _find_position: Any = BatchConsumer._find_position
    _seek_to_fences: Any = BatchConsumer._seek_to_fences
    _find_lost: Any = BatchConsumer._find_lost
    _find_places: Any = BatchConsumer._find_places
    should_stop = False
    give_up_seconds = GIVE_UP_SECONDS

    def __init__(
        self,
        kafka: SimulatedKafka,
        weather: Weather,
        random: Random,
        open_fold: OpenFold,
        crash: Callable[[BaseException], None],
    ) -> None:
        self._kafka = kafka
        self._random = random
        self._crash = crash
        self.open_fold = open_fold
        self._generation: dict[TP, int] = {}
        self.applied: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._resyncing: set[TP] = set()
        self._lost: set[TP] = set()
        self._seeking = asyncio.Lock()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._assigned: set[TP] = set()
        self._thread = FetchThread(kafka, weather, random)
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

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        """As of now."""
        bounds = await self._kafka.bounds(_place(tp) for tp in tps)
        return {tp: bounds[_place(tp)][0] for tp in tps}

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        """Last stable offsets, as of now."""
        bounds = await self._kafka.bounds(_place(tp) for tp in tps)
        return {tp: bounds[_place(tp)][1] for tp in tps}

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
            await asyncio.sleep(self._thread.pace[0] * self._random.random())
            for batch in self._thread.fetch():
                await asyncio.sleep(self._random.random() * 0.01)
                await self._hand_over(batch)

    async def commit_forever(self) -> None:
        """The timer that reports positions."""
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.commit()

    async def dispatch_forever(self, dispatcher: Dispatcher) -> None:
        """The counting agent."""
        while True:
            await dispatcher.take(await self._queue.get())


def _place(tp: TP) -> Place:
    return tp.topic, tp.partition
