"""Both logs cut by retention, each at its own boundary, and folded anew: nothing is billed twice, no shard stops."""

from collections.abc import AsyncIterator, Callable
from unittest.mock import patch

import pytest
from redis.asyncio import Redis

from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from metering import retention
from metering.span import DAY_SECONDS
from tests.simulation.retention import BrokenPromiseError, check_refold

SEEDS = 16
MOST_SEEDS = 15  # until a missing guard must have been noticed


@pytest.fixture
async def new_shard(redis_url: str, redis_prefix: str) -> AsyncIterator[Callable[[int], Shard]]:
    """An empty shard for each seed."""
    async with Redis.from_url(redis_url) as client:
        yield lambda seed: Ledger(RedisStore(client), f"{redis_prefix}{seed}:", 1).shard(0)


async def test_a_refold_of_cut_logs_bills_nothing_twice(new_shard: Callable[[int], Shard]) -> None:
    """Open buckets are billed to the last unit, closed ones never beyond what was used, and rows stay on their way."""
    cuts = {await check_refold(new_shard(seed), seed) for seed in range(SEEDS)}
    assert cuts == {(usage, pushes) for usage in (True, False) for pushes in (True, False)}


@pytest.mark.parametrize("days", [-400, -36, 36, 400])
async def test_a_clock_that_is_off_changes_nothing(new_shard: Callable[[int], Shard], days: int) -> None:
    """What is closed goes by the log's own times: one that is ahead closes no present, one that is behind all of it."""
    for seed in range(SEEDS // 4):
        await check_refold(new_shard(seed), seed, days * DAY_SECONDS)


async def test_without_closed_buckets_it_would(new_shard: Callable[[int], Shard]) -> None:
    """The same lives tell that buckets have to be closed: a shard stops, or units are billed a second time."""

    async def refold_some() -> None:
        for seed in range(MOST_SEEDS):
            await check_refold(new_shard(seed), seed)

    ages = {"USAGE_KEPT_SECONDS": 10**9, "AHEAD_SECONDS": -(10**9)}
    with patch.multiple(retention, **ages), pytest.raises(BrokenPromiseError, match=r"DIVERGED|billed"):
        await refold_some()
