"""Two workers on one shard: the log's order decides, whoever is late."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from tests.ledger_push.counts import HOUR, NOON
from tests.support.eventually import eventually_async

from .crashes import for_every_call
from .test_crashes import usage
from .world import World, a_world, running

T = TypeVar("T")


@dataclass
class Freeze:
    """A process that stops at its n-th call, before or `after` it took effect, and goes on when it is thawed.

    Only calls of the kind `only` are counted; it does not stop before one that is `spared`.
    """

    nth: int
    after: bool
    spared: str = ""
    only: str = ""
    seen: int = 0
    frozen: asyncio.Event = field(default_factory=asyncio.Event)
    thawed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, name: str, perform: Callable[[], Awaitable[T]]) -> T:
        """All of its calls wait while it is frozen."""
        self.seen += name.startswith(self.only)
        stops = self.seen == self.nth and not self.frozen.is_set()
        if self.thawed.is_set() or not (stops or self.frozen.is_set()):
            return await perform()
        if (stops and self.after) or (self.spared and name.startswith(self.spared)):
            result = await perform()
            self.frozen.set()
            await self.thawed.wait()
            return result
        self.frozen.set()
        await self.thawed.wait()
        return await perform()


async def passed(world: World, moment_ms: int) -> bool:
    """It is later than that."""
    return world.clock.now_ms() > moment_ms


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_frozen_worker_may_thaw_at_any_call(redis_url: str, redis_prefix: str, after: bool) -> None:
    """Meanwhile another one took its shard, billed everything, more was counted and billed, and a day went by.

    By then Stripe has forgotten the identifiers. The one moment that nobody can guard is the call itself: between
    the last look at the clocks and the first byte on the wire no process may be frozen for two hours.
    """

    async def freeze_at(nth: int) -> bool:
        async with Redis.from_url(redis_url) as redis, a_world(redis, f"{redis_prefix}{nth}:") as world:
            await usage(world)
            if not await thaw_after(world, Freeze(nth, after, spared="stripe POST"), 25):
                return False
            world.assert_billed_exactly()
            assert await world.parked() == 0
            return True

    assert await for_every_call(freeze_at) > 20


@pytest.mark.parametrize("hours", [1, 21])
async def test_a_worker_that_is_frozen_in_a_call_may_thaw_within_the_day(world: World, hours: int) -> None:
    """The same bytes arrive again, and Stripe refuses what it knows."""
    await usage(world)
    freeze = Freeze(1, after=False, only="stripe POST")
    assert await thaw_after(world, freeze, hours)
    world.assert_billed_exactly()


async def thaw_after(world: World, freeze: Freeze, hours: int) -> bool:
    """Lets a worker freeze, another one work, and the first one go on; False if it never froze."""

    async def over() -> bool:
        return freeze.frozen.is_set() or await world.is_settled()

    async with running(world.worker(freeze)):
        await eventually_async(over)
        if not freeze.frozen.is_set():
            return False
        async with running(world.worker()):
            await eventually_async(world.is_settled)
            world.counts.use("a", "sms.send", 2, NOON)
            await world.counts.fold()
            await eventually_async(world.is_settled)
        world.clock.advance(hours * HOUR)
        freeze.thawed.set()
        moment = world.clock.now_ms()
        await eventually_async(lambda: passed(world, moment + 10_000))
        await eventually_async(world.is_settled)
    return True


async def test_two_workers_at_once_bill_once(world: World) -> None:
    """They plan the same buckets, race for every offset, send the same rows, while usage grows."""
    await usage(world)
    async with running(world.worker()), running(world.worker()), running(world.worker()):
        for number in range(15):
            world.counts.use("a", "sms.send", 1 + number, NOON)
            world.counts.use("b", "voice.ai", 1, NOON - number * HOUR)
            await world.counts.fold()
            moment = world.clock.now_ms()
            await eventually_async(lambda moment=moment: passed(world, moment + 1_000))
        await eventually_async(world.is_settled)
    world.assert_billed_exactly()
    assert await world.parked() == 0
