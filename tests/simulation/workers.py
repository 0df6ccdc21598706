"""A Stripe worker: the product's, from who owns which shard to what is sent, over the simulated log and Stripe."""

import asyncio
from random import Random
from types import SimpleNamespace

from ledger.shard import Shard
from stripe_sync.process.ownership import Ownership
from stripe_sync.push_log.log import Entry, PushLogBounds, Read
from stripe_sync.sending.sender import Sender, StripeSide
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.reissuer import Reissuer
from stripe_sync.shard.worker import ShardWorker
from tests.simulation import names
from tests.simulation.kafka import Appending, SimulatedKafka
from tests.simulation.process import Process
from tests.simulation.stripe import TransportOf


class SimulatedPushLog:
    """`stripe_sync.push_log.log.PushLog` over the simulated broker."""

    def __init__(self, kafka: SimulatedKafka, random: Random) -> None:
        self._kafka = kafka
        self._random = random

    def name(self, shard: int) -> str:
        """Topic and partition."""
        return f"{names.PUSHES}-{shard}"

    async def append(self, shard: int, value: bytes) -> int:
        """With acks=all."""
        return await self._kafka.produce(Appending((names.PUSHES, shard), str(shard).encode(), value))

    async def bounds(self, shard: int) -> PushLogBounds:
        """Earliest and last stable offset, and the high watermark."""
        place = (names.PUSHES, shard)
        high = (await self._kafka.high_watermarks([place]))[place]
        earliest, stable = (await self._kafka.bounds([place]))[place]
        return PushLogBounds(earliest, min(stable, high), high)

    async def read(self, shard: int, start: int, end: int) -> Read:
        """Some of what there is, now and then beyond `end`, now and then nothing within the time it waits."""
        await asyncio.sleep(self._random.random() * 0.02)
        if start >= end or self._random.random() < 0.05:
            return Read([], start)
        log = self._kafka.logs[names.PUSHES, shard]
        records = log.read(start, self._random.randint(1, 8))
        following = records[-1].offset + 1 if records else start
        if not log.read(following, 1):  # nothing but what no reader is shown
            following = max(following, min(end, log.stable_end))
        return Read([Entry(record.offset, record.timestamp, record.value) for record in records], following)


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
                reissuer=self._reissuer(self.ledger.shard(shard), stripe_side),
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

    def _reissuer(self, shard: Shard, summaries: TransportOf) -> Reissuer:
        return Reissuer(shard, names.IDENTITY, summaries, self.clock, grace=names.GRACE_SECONDS, admit=self._admit)

    async def _admit(self) -> None:
        """The rate limit: mostly there is room."""
        if self.world.weather.chance(0.05):
            await asyncio.sleep(self.random.expovariate(1))
