"""A shard with everything around it: counts, a push log, Redis, Stripe's double, and one clock for all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from redis.asyncio import Redis

from ledger.pushes import read_parked
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import Log
from metering.account import Account
from metering.meters import BY_NAME
from metering.push_log import StripeIdentity
from metering.row import bucket_key
from metering.span import DAY_HOURS
from stripe_sync.reconcile.hourly import Runs
from stripe_sync.sending.sender import Sender, StripeSide
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.reissuer import Reissuer
from stripe_sync.shard.worker import ALONE, ShardWorker, Surroundings
from stripe_sync.stripe_api.client import SingleTransport, Transport
from stripe_sync.stripe_api.summaries import StripeSummaries
from stripe_sync.tasks import end_tasks
from tests.ledger_push.counts import HOUR, NOON, Counts
from tests.support.eventually import eventually_async

from .calls import Intercept, InterceptedLog, InterceptedStore, undisturbed
from .double import KEY, Double, known, running_double
from .manual_clock import ManualClock
from .memory_log import MemoryPushLog

IDENTITY = StripeIdentity(namespace="tests", account="acct_1", livemode=False)
PACE = Pace(push_interval=1.0, grace=3600)


async def at_once() -> None:
    """No rate limit."""


@dataclass
class World:
    """All of it. `customers` maps accounts to Stripe's customers.

    `transport`, `summaries` and `reissues` are of the workers to come, where they are not what most tests need.
    """

    clock: ManualClock
    redis: Redis
    prefix: str
    log: MemoryPushLog
    double: Double
    customers: dict[str, str] = field(default_factory=dict)
    transport: Transport | None = None
    summaries: StripeSummaries | None = None
    reissues: bool = False
    incarnations: "count[int]" = field(default_factory=count)
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.counts = Counts(self.shard(), self.clock.now_ms)

    def shard(self, intercept: Intercept = undisturbed) -> Shard:
        """The shard."""
        return Ledger(InterceptedStore(RedisStore(self.redis), intercept), self.prefix, 1).shard(0)

    async def account(self, name: str, **facts: int) -> None:
        """An account with a customer of its own."""
        self.customers[name] = await self.double.customer()
        self.counts.map(name, Account(customer=self.customers[name], **facts))

    def worker(
        self,
        intercept: Intercept = undisturbed,
        *,
        identity: StripeIdentity = IDENTITY,
        pace: Pace = PACE,
        key: str = KEY,
        admit: Callable[[], Awaitable[None]] = at_once,
        surroundings: Surroundings = ALONE,
    ) -> ShardWorker:
        """A worker of the shard."""
        client = self.double.client(intercept, key)
        summaries = self.summaries or StripeSummaries(client, known(self.double.meter_ids))
        shard, may_bill = self.shard(intercept), surroundings.may_bill
        reissuer = Reissuer(shard, identity, summaries, self.clock, grace=pace.grace, admit=admit, may_bill=may_bill)
        stripe_side = StripeSide(self.transport or SingleTransport(client), summaries, surroundings.clock_fault)
        return ShardWorker(
            shard,
            InterceptedLog(self.log, intercept),
            Sender(stripe_side, self.clock, grace=pace.grace, admit=admit, jitter=lambda: 1.0),
            identity,
            pace=pace,
            clock=self.clock,
            make_incarnation=lambda: f"worker-{next(self.incarnations)}",
            reissuer=reissuer if self.reissues else None,
            surroundings=surroundings,
        )

    async def count_more(self, account: str, meter: str, units: int) -> None:
        """More units of noon's bucket than a test can publish events of."""
        day, hour = divmod(NOON // HOUR, DAY_HOURS)
        index, keys = BY_NAME[meter].index, self.shard().keys
        bucket = bucket_key(account, index, NOON // HOUR)
        await self.redis.hincrby(keys.hours(account, day), str(index * DAY_HOURS + hour), units)
        await self.redis.hincrby(keys.due, bucket, units)
        await self.redis.zadd(keys.due_order, {bucket: NOON // HOUR})
        self.counts.units[account, meter] += units

    def expected(self) -> dict[tuple[str, str], int]:
        """What Stripe must have been told in the end."""
        expected = Counter[tuple[str, str]]()
        for (account, meter), units in self.counts.units.items():
            expected[self.customers[account], meter] += units
        return dict(expected)

    async def is_settled(self) -> bool:
        """Both logs are folded, everything counted is claimed, and nothing is in flight; seen at one moment."""
        keys = self.shard().keys
        async with self.redis.pipeline(transaction=True) as moment:
            moment.hmget(keys.fences, [Log.USAGE.value, Log.PUSHES.value])
            moment.exists(keys.due, keys.in_flight)
            (usage, pushes), unsettled = await moment.execute()
        ends = b"%d" % len(self.counts.usage), b"%d" % len(self.log.entries())
        return (usage, pushes) == ends and not unsettled

    async def parked(self) -> int:
        """Units of parked rows."""
        return sum(entry.row.value for entry in (await read_parked(self.shard())).values())

    async def bill(self, worker: ShardWorker | None = None) -> None:
        """Runs a worker until everything is settled."""
        async with running(worker or self.worker()):
            await eventually_async(self.is_settled, what="everything settled")

    def assert_billed_exactly(self) -> None:
        """Stripe has what was counted, and no identifier was ever seen with two bodies."""
        assert self.double.billed() == self.expected()
        self.assert_bodies_frozen()

    def assert_bodies_frozen(self) -> None:
        """No identifier was ever seen with two bodies."""
        assert [bodies for bodies in self.double.bodies().values() if len(bodies) > 1] == []


@asynccontextmanager
async def running(worker: Runs) -> AsyncIterator["asyncio.Task[None]"]:
    """A worker at work; killed at the end. An error of its own is raised there."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        if task.done():
            task.result()
        await end_tasks([task])


@asynccontextmanager
async def a_world(redis: Redis, prefix: str) -> AsyncIterator[World]:
    """A world without accounts and usage."""
    clock = ManualClock()
    with running_double(clock) as double:
        await double.prepare()
        yield World(clock, redis, prefix, MemoryPushLog(clock), double)
