"""A worker may die anywhere: the next one finds in the log what it must know, and the sums are exact."""

import pytest
from redis.asyncio import Redis

from tests.ledger_push.counts import HOUR, NOON

from .crashes import Crash, for_every_call, work_until
from .world import World, a_world


async def usage(world: World) -> None:
    """Two buckets of one account that share nothing, and one bucket of another."""
    for name in ("a", "b"):
        await world.account(name)
    world.counts.use("a", "sms.send", 3, NOON)
    world.counts.use("a", "sms.send", 4, NOON - HOUR)
    world.counts.use("b", "voice.ai", 5, NOON)
    await world.counts.fold()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_worker_may_die_at_any_call(redis_url: str, redis_prefix: str, after: bool) -> None:
    """It dies at its n-th call to the log, to Redis or to Stripe, for every n, and another one takes over.

    In the end Stripe has what was counted, whatever came of the call, and no identifier was seen with two bodies.
    """
    died_at: list[str] = []

    async def die_at(nth: int) -> bool:
        async with Redis.from_url(redis_url) as redis, a_world(redis, f"{redis_prefix}{nth}:") as world:
            await usage(world)
            crash = Crash(nth, after=after)
            if not await work_until(world, crash):
                return False
            died_at.append(crash.at)
            world.counts.use("b", "voice.ai", 1, NOON)
            await world.counts.fold()
            await world.bill()
            world.assert_billed_exactly()
            assert await world.parked() == 0
            return True

    await for_every_call(die_at)
    assert {"log append", "redis fold_prepared", "redis fold_settled", "redis mark_ready"} < set(died_at)
    assert died_at.count("stripe POST /v2/billing/meter_events") == 3


@pytest.mark.parametrize("call", ["log append", "stripe POST", "redis fold_settled"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_is_forgiven_within_the_day(world: World, call: str, after: bool) -> None:
    """Twenty hours later the rows are sent again, the same bytes, and Stripe refuses what it knows."""
    await usage(world)
    assert await work_until(world, Crash(1, call, after=after))
    world.clock.advance(20 * HOUR)
    await world.bill()
    world.assert_billed_exactly()
    assert world.double.calls("/v1/billing/meters/", "GET") == 0


@pytest.mark.parametrize("call", ["log append", "stripe POST", "redis fold_settled"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("hours", [23, 25, 100])
async def test_a_crash_is_forgiven_after_days(world: World, call: str, after: bool, hours: int) -> None:
    """Stripe forgets identifiers: the summaries say which rows it has, and only the others are sent."""
    await usage(world)
    assert await work_until(world, Crash(1, call, after=after))
    world.clock.advance(hours * HOUR)
    await world.bill()
    world.assert_billed_exactly()
