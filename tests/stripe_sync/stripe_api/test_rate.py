"""The share of the platform's calls per second."""

import asyncio
import time
from itertools import product

import pytest

from stripe_sync.stripe_api.rate import BURST_SECONDS, RateShare


async def seconds_for(rate: RateShare, calls: int) -> float:
    """How long so many calls take that all want to go at once."""
    began = time.monotonic()
    await asyncio.gather(*(rate.admit() for _ in range(calls)))
    return time.monotonic() - began


@pytest.mark.parametrize(("owned", "per_second"), [(1, 100), (2, 200), (4, 400)])
async def test_a_worker_takes_the_share_of_its_shards(owned: int, per_second: int) -> None:
    """Four shards of a platform with 400 calls a second; the first burst is a quarter of a second's."""
    rate = RateShare(400, 4)
    rate.own(owned)
    calls = per_second // 2
    assert await seconds_for(rate, calls) >= (calls - per_second * BURST_SECONDS - 1) / per_second


async def test_a_worker_without_shards_still_has_a_share() -> None:
    """Nobody waits for ever."""
    rate = RateShare(400, 4)
    rate.own(0)
    assert await seconds_for(rate, 12) < 5


async def test_every_share_admits_one_call_at_least() -> None:
    """However the platform's rate is divided: 25 calls a second over 9 shards is no whole number of anything."""
    for platform, partitions in product((0.5, 1, 2, 5, 10, 25, 50, 100, 800), range(1, 26)):
        for owned in range(partitions + 1):
            rate = RateShare(platform, partitions)
            rate.own(owned)
            await asyncio.wait_for(rate.admit(), 1)


async def test_who_waits_while_the_share_changes_gets_through() -> None:
    """A rebalance in the middle: those who wait go on at the old pace, new ones at the new."""
    rate = RateShare(80, 4)
    waiting = [asyncio.create_task(rate.admit()) for _ in range(12)]
    await asyncio.sleep(0)
    rate.own(4)
    await asyncio.wait_for(asyncio.gather(*waiting, *(rate.admit() for _ in range(8))), 5)


async def test_who_gives_up_waiting_holds_nobody_back() -> None:
    """Rows of a shard that was given away are cancelled in the queue."""
    rate = RateShare(20, 1)
    await seconds_for(rate, 2)
    waiting = [asyncio.create_task(rate.admit()) for _ in range(400)]  # twenty seconds' calls
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    assert await seconds_for(rate, 2) < 10
