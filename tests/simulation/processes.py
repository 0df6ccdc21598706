"""The platform's processes, wired from the product's own parts over simulated servers."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP
from redis.exceptions import RedisError

from aggregator.app import FaustShards
from aggregator.consumer import RETRIABLE, BatchConsumer
from aggregator.dispatch import Dispatcher
from aggregator.fold import Fold
from aggregator.publisher import Message
from aggregator.readiness import ReadinessLoop
from aggregator.table_fold import TableFold
from aggregator.usage_fold import UsageFold, UsageTopics
from api.shards import shard_of
from api.usage import UsageReader
from ledger.reading import NotReadyError, find_key
from ledger.shard import Ledger
from stripe_sync.log import Entry
from stripe_sync.ownership import Ownership
from stripe_sync.planner import Pace
from stripe_sync.sender import Sender, StripeSide
from stripe_sync.shard_worker import ShardWorker
from tests.simulation import names
from tests.simulation.clock import ProcessClock
from tests.simulation.consumer import SimulatedConsumer
from tests.simulation.kafka import Appending, SimulatedKafka
from tests.simulation.loop import Owner
from tests.simulation.redis_server import SimulatedStore
from tests.simulation.stripe import TransportOf
from tests.simulation.world import World

GIVE_UP_SECONDS = 60.0


class Process(Owner):
    """One life of a process. Everything that it knows is in here, and gone with it."""

    def __init__(self, world: World, name: str, random: Random) -> None:
        super().__init__(name)
        self.world = world
        self.random = random
        self.clock = ProcessClock(world.time, random.choice((0, 0, random.randint(-240_000, 240_000))))
        store = SimulatedStore(world.redis, world.network, world.trace, world.shown, name)
        self.ledger = Ledger(store, names.PREFIX, names.PARTITIONS)
        self._lives = count()

    def incarnation(self) -> str:
        """A nonce, from the seed."""
        return f"{self.name}-{next(self._lives)}"

    async def pause(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)


class SimulatedPublisher:
    """The aggregator's way to write to Kafka."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka

    async def publish(self, messages: Sequence[Message]) -> None:
        """Raises if any of them may not be in the log."""
        await asyncio.gather(
            *(
                self._kafka.produce(
                    Appending((each.topic, each.partition or 0), each.key, each.value, tuple(each.headers))
                )
                for each in messages
            )
        )


class Aggregator(Process):
    """Folds usage, accounts and keys, and marks shards ready."""

    async def run(self) -> None:
        """Starts; it has no shards before the group tells it so."""
        self._publisher = SimulatedPublisher(self.world.kafka)
        dispatcher = Dispatcher(
            self._make_fold, positions=lambda: self.consumer, stop=self._stop, monotonic=self.clock.monotonic
        )
        self.consumer = SimulatedConsumer(
            self.world.kafka, self.world.weather, self.random, dispatcher.open, self._stop
        )
        app = cast("Any", SimpleNamespace(consumer=cast("BatchConsumer", self.consumer)))
        readiness = ReadinessLoop(
            FaustShards(app, names.FOLDED), self.ledger.shard, pause=self.clock.sleep, now_ms=self.clock.now_ms
        )
        self._turn = asyncio.Lock()
        await asyncio.gather(
            self.consumer.fetch_forever(),
            self.consumer.commit_forever(),
            self.consumer.dispatch_forever(dispatcher),
            readiness.run(RETRIABLE, GIVE_UP_SECONDS),
        )

    async def told(self, shards: set[int]) -> None:
        """A rebalance."""
        async with self._turn:
            await self.consumer.rebalance({TP(topic, shard) for topic in names.FOLDED.values() for shard in shards})

    def _stop(self, error: BaseException) -> None:
        self.world.ended(self, error)

    def _make_fold(self, tp: TP) -> Fold:
        shard = self.ledger.shard(tp.partition)
        if tp.topic == names.USAGE:
            topics = UsageTopics(names.USAGE, names.DEAD_LETTERS)
            return UsageFold(shard, topics, names.PARTITIONS, self._publisher, self.incarnation)
        log = next(log for log, topic in names.FOLDED.items() if topic == tp.topic)
        return TableFold(shard, log, (tp.topic, names.DEAD_LETTERS), self._publisher, self.incarnation)


class SimulatedPushLog:
    """`stripe_sync.log.PushLog` over the simulated broker."""

    def __init__(self, kafka: SimulatedKafka, random: Random) -> None:
        self._kafka = kafka
        self._random = random

    async def append(self, shard: int, value: bytes) -> None:
        """With acks=all."""
        await self._kafka.produce(Appending((names.PUSHES, shard), str(shard).encode(), value))

    async def bounds(self, shard: int) -> tuple[int, int]:
        """Earliest and last stable offset."""
        return (await self._kafka.bounds([(names.PUSHES, shard)]))[names.PUSHES, shard]

    async def read(self, shard: int, start: int, end: int) -> list[Entry]:
        """Some of what there is, now and then beyond `end`, now and then nothing within the time it waits."""
        await asyncio.sleep(self._random.random() * 0.02)
        if start >= end or self._random.random() < 0.05:
            return []
        records = self._kafka.logs[names.PUSHES, shard].read(start, self._random.randint(1, 8))
        return [Entry(record.offset, record.timestamp, record.value) for record in records]


class StripeWorker(Process):
    """Tells Stripe what was counted."""

    async def run(self) -> None:
        """Starts; it has no shards before the group tells it so."""
        stripe_side = TransportOf(self.world.stripe, self.name, self.world.trace)
        push_log = SimulatedPushLog(self.world.kafka, self.random)
        pace = Pace(names.PUSH_INTERVAL_SECONDS, names.GRACE_SECONDS)
        sender = Sender(
            StripeSide(stripe_side, stripe_side),
            self.clock,
            grace=names.GRACE_SECONDS,
            admit=self._admit,
            jitter=self.random.random,
        )

        def make_worker(shard: int) -> ShardWorker:
            return ShardWorker(
                self.ledger.shard(shard),
                push_log,
                sender,
                names.IDENTITY,
                pace=pace,
                clock=self.clock,
                make_incarnation=self.incarnation,
            )

        self._turn = asyncio.Lock()
        self._ownership = Ownership(make_worker, lambda owned, given_up: None, self.clock)
        await self._ownership.failed

    async def told(self, shards: set[int]) -> None:
        """A rebalance."""
        async with self._turn:
            everything = [SimpleNamespace(partition=shard) for shard in range(names.PARTITIONS)]
            await self._ownership.on_partitions_revoked(everything)
            await self._ownership.on_partitions_assigned(everything[shard] for shard in sorted(shards))

    async def _admit(self) -> None:
        """The rate limit: mostly there is room."""
        if self.world.weather.chance(0.05):
            await asyncio.sleep(self.random.expovariate(1))


class Reader(Process):
    """A customer who looks at the current period again and again, and signs in with a key before."""

    async def run(self) -> None:
        """Reads for ever."""
        reader = UsageReader(self.ledger, lambda: self.clock.now_ms() / 1000)
        while True:
            await asyncio.sleep(0.2 + self.random.random())
            try:
                if self.random.random() < 0.2:
                    await self._sign_in()
                else:
                    await self._look(reader, self.random.choice(names.ACCOUNTS))
            except (NotReadyError, RedisError):
                continue

    async def _look(self, reader: UsageReader, account: str) -> None:
        before = self.world.shown.usage(account)
        totals = await reader.current(account)
        kept: OrderedDict[str, Any] = reader._questions._kept
        self.world.shown.saw_usage(account, kept[account].span, totals.units, before)

    async def _sign_in(self) -> None:
        key_hash = self.random.choice(self.world.key_hashes)
        known = self.world.shown.knows_key(key_hash)
        record = await find_key(shard_of(self.ledger, key_hash), key_hash)
        self.world.shown.saw_key(key_hash, found=record is not None, known=known)
