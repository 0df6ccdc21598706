"""The aggregator's consumer without Faust and aiokafka: the product's `Positions` and `Chains` on the simulated broker.

What Faust, the thread that fetches and the broker do is simulated.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Set
from random import Random
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from aggregator.chains import Chains
from aggregator.dispatch import Dispatcher
from aggregator.log_check import LogBounds
from aggregator.partition_batch import ChainLink, PartitionBatch
from aggregator.positions import OpenFold, Positions
from aggregator.stops import TRY_SECONDS, Stops
from tests.simulation import names
from tests.simulation.kafka import SimulatedKafka
from tests.simulation.weather import Weather

QUEUED_BATCHES = 2
COMMIT_SECONDS = 2.0
PACES = ((0.25, 12), (0.25, 12), (0.5, 6), (1.0, 4))  # seconds between fetches at most, records of one
CALM_PACE = PACES[0]
COMPACTED = {names.ACCOUNT_TABLE, names.KEY_TABLE}


class Fetcher:
    """What the thread that owns aiokafka's client does: reads on from each position, and looks back after trouble."""

    def __init__(self, kafka: SimulatedKafka, weather: Weather, random: Random) -> None:
        self._kafka = kafka
        self._weather = weather
        self._random = random
        self._pace = random.choice(PACES)
        self._known: dict[TopicPartition, int] = {}  # the log's epoch when it was last read or sought in
        self._positions: dict[TopicPartition, int] = {}
        self.chains = Chains(COMPACTED)

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Reads on from there."""
        self._positions.update(offsets)
        for tp in offsets:
            self._known[tp] = self._kafka.logs[tp].epoch

    @property
    def pace(self) -> tuple[float, int]:
        """Seconds between fetches at most, and how many records one gives at most: a refold may take its time."""
        return CALM_PACE if self._weather.is_calm else self._pace

    def fetch(self, resync: Callable[[TopicPartition, str], None]) -> list[PartitionBatch]:
        """What can be read now: a part of it, and where an offset was skipped, nothing but a new position."""
        batches = []
        for tp in list(self.chains.links):
            log = self._kafka.logs[tp]
            if self._known[tp] != log.epoch:
                self.seek(self.chains.look_back({tp}))
            position = self._positions[tp]
            if log.next_offset < position:
                resync(tp, f"{position} is outside of the log")
                continue
            records = log.read(position, self._random.randint(1, self.pace[1]))
            end = records[-1].offset + 1 if records else position
            if not log.read(end, 1) and self._random.random() < 0.7:  # nothing but control records up to the end
                end = max(end, log.stable_end)
            self._positions[tp] = end
            if (batch := self.chains.next_batch(tp, records, end)) is not None:
                batches.append(batch)
        return batches


class SimulatedBroker:
    """The aggregator's `Broker`; what each call means is written there."""

    def __init__(
        self, kafka: SimulatedKafka, fetcher: Fetcher, random: Random, crash: Callable[[BaseException], None]
    ) -> None:
        self._kafka = kafka
        self._fetcher = fetcher
        self._random = random
        self._crash = crash
        self._tasks: set[asyncio.Task[Any]] = set()
        self.assigned: set[TopicPartition] = set()

    def assignment(self) -> Set[TopicPartition]:  # noqa: D102
        return self.assigned

    async def bounds(self, tps: Set[TopicPartition]) -> dict[TopicPartition, LogBounds]:  # noqa: D102
        wanted = sorted(tps)
        bounds = await self._kafka.bounds(wanted)
        ends = await self.stable_ends(tps)
        committed = await self._kafka.committed(wanted)
        return {tp: LogBounds(bounds[tp][0], ends[tp], committed[tp]) for tp in wanted}

    async def stable_ends(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:  # noqa: D102
        bounds = await self._kafka.bounds(sorted(tps))
        return {tp: bounds[tp][1] for tp in tps}

    async def high_watermarks(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:  # noqa: D102
        ends = await self._kafka.high_watermarks(sorted(tps))
        return {tp: ends[tp] for tp in tps}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:  # noqa: D102
        try:
            await self._kafka.commit({(tp.topic, tp.partition): offset for tp, offset in offsets.items()})
        except KafkaError:
            return False
        return True

    async def begin(self, links: Mapping[TopicPartition, ChainLink]) -> None:  # noqa: D102
        await asyncio.sleep(self._random.random() * 0.01)
        self._fetcher.seek(self._fetcher.chains.begin(links))

    async def rest(self, tp: TopicPartition, generation: int) -> None:  # noqa: D102
        await asyncio.sleep(self._random.random() * 0.01)
        self._fetcher.chains.end(tp, generation)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:  # noqa: D102
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def crash(self, error: BaseException) -> None:  # noqa: D102
        self._crash(error)

    def is_stopping(self) -> bool:  # noqa: D102
        return False


class SimulatedConsumer:
    """A member of the group: it fetches, hands over, commits, and goes through rebalances."""

    def __init__(
        self,
        kafka: SimulatedKafka,
        weather: Weather,
        random: Random,
        open_fold: OpenFold,
        crash: Callable[[BaseException], None],
    ) -> None:
        self._random = random
        self._fetcher = Fetcher(kafka, weather, random)
        self._broker = SimulatedBroker(kafka, self._fetcher, random, crash)
        self.positions = Positions(self._broker, open_fold, Stops())
        self._queue: asyncio.Queue[PartitionBatch] = asyncio.Queue(QUEUED_BATCHES)

    async def rebalance(self, tps: set[TopicPartition]) -> None:
        """The eager protocol: everything is revoked, then what is assigned is found in Redis."""
        self.positions.revoke(self._broker.assigned)
        self._fetcher.chains.clear()
        if self._random.random() < 0.5:
            while not self._queue.empty():
                self._queue.get_nowait()
        await self.positions.settle()
        self._broker.assigned = tps
        await self.positions.seek_all()

    async def fetch_forever(self) -> None:
        """The way from the log to the queue."""
        while True:
            await asyncio.sleep(self._fetcher.pace[0] * self._random.random())
            for batch in self._fetcher.fetch(self.positions.resync):
                await asyncio.sleep(self._random.random() * 0.01)
                if self.positions.is_current(batch):
                    await self._queue.put(batch)

    async def commit_forever(self) -> None:
        """The timer that reports positions."""
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.positions.commit()

    async def try_forever(self) -> None:
        """The timer that tries stopped logs again."""
        while True:
            await asyncio.sleep(TRY_SECONDS)
            self.positions.try_stopped()

    async def dispatch_forever(self, dispatcher: Dispatcher) -> None:
        """The counting agent."""
        while True:
            await dispatcher.take(await self._queue.get())
