"""Redis loses everything: both logs are folded again, and Stripe is told nothing twice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from ledger.state import Log, read_state
from local.servers.redis import RedisServer
from tests.ledger_push.counts import HOUR
from tests.support.eventually import eventually_async

from .calls import undisturbed
from .push_log.test_log_faults import kept_running
from .test_crashes import usage
from .world import World, a_world, running

T = TypeVar("T")


@dataclass
class Flush:
    """Everything is lost before the n-th call; with `refold` the counts are there again at once, ready."""

    nth: int
    refold: bool
    world: World
    seen: int = 0

    async def __call__(self, name: str, perform: Callable[[], Awaitable[T]]) -> T:
        """Passes everything on."""
        self.seen += 1
        if self.seen == self.nth:
            await self.world.redis.flushall()
            if self.refold:
                await self.world.counts.fold()
        return await perform()


@pytest.mark.parametrize("refold", [False, True], ids=["empty", "counted again"])
async def test_everything_may_be_lost_before_any_call(own_redis: RedisServer, refold: bool) -> None:
    """FLUSHALL between any two steps; the aggregator folds the counts again, sooner or later."""
    async with Redis.from_url(own_redis.url) as redis:
        for nth in count(1):
            await redis.flushall()
            async with a_world(redis, "") as world:
                await usage(world)
                flush = Flush(nth, refold, world)
                async with kept_running(world, flush):
                    await eventually_async(lambda world=world: counted_and_settled(world, refold))
                if flush.seen < nth:
                    break
                world.assert_billed_exactly()
                assert await world.parked() == 0
    assert nth > 20


async def counted_and_settled(world: World, refolded: bool) -> bool:
    """Folds the counts if they are gone and nobody else does."""
    if not refolded and Log.USAGE not in (await read_state(world.shard())).fences:
        await world.counts.fold()
    return await world.is_settled()


@pytest.mark.parametrize("hours", [1, 25, 24 * 9])
async def test_everything_may_be_lost_long_after(flushable_world: World, hours: int) -> None:
    """Nothing is sent again; what is counted afterwards is billed as the difference."""
    world = flushable_world
    await usage(world)
    await world.bill()
    calls = world.double.calls()
    world.clock.advance(hours * HOUR)
    await world.redis.flushall()
    await world.counts.fold()
    await world.bill()
    assert world.double.calls() == calls
    world.counts.use("a", "sms.send", 1, world.clock.now_ms() // 1000)
    await world.counts.fold()
    await world.bill()
    world.assert_billed_exactly()


async def test_a_worker_never_plans_on_a_push_log_that_is_not_folded(flushable_world: World) -> None:
    """Right after a flush everything counted looks due: the log's order keeps that from being sent."""
    world = flushable_world
    await usage(world)
    await world.bill()
    worker = world.worker()
    await worker.turn()
    world.clock.advance(10)
    await world.redis.flushall()
    await world.counts.fold()
    async with kept_running(world, undisturbed):
        for _ in range(5):
            await worker.turn()
            world.clock.advance(10)
        await eventually_async(world.is_settled)
    world.assert_billed_exactly()
    assert world.double.calls() == 3


async def test_no_row_is_sent_before_its_account_is_known_again(flushable_world: World) -> None:
    """Given a row in flight whose period has been finalised: without the account's anchor, it would seem to go on."""
    world = flushable_world
    now = world.clock.now_ms() // 1000
    await world.account("a", anchor=now + HOUR)
    world.counts.use("a", "sms.send", 5, now - HOUR)
    await world.counts.fold()
    await world.worker().turn()  # plans it, and dies
    world.clock.advance(2 * HOUR)
    await world.redis.flushall()
    accounts, world.counts.accounts = world.counts.accounts, []
    await world.counts.fold(ready=False)

    later = world.clock.now_ms() / 1000 + 60
    async with running(world.worker()):
        await eventually_async(lambda: has_come(world, later))
        assert world.double.calls() == 0
        world.counts.accounts = accounts
        await world.counts.fold()
        await eventually_async(lambda: has_parked(world, 5))
    assert world.double.billed() == {}


async def has_come(world: World, moment: float) -> bool:
    """Whether the world's clock shows this Unix second."""
    return world.clock.now_ms() / 1000 >= moment


async def has_parked(world: World, units: int) -> bool:
    """Whether so many units wait for a person."""
    return await world.parked() == units
