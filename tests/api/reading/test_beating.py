"""An API process writes to Redis that it runs, as long as it does."""

import asyncio
from contextlib import suppress

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.reading import beating
from api.reading.beating import keep_beating
from ledger.beats import silence
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from tests.support.eventually import eventually_async


async def test_it_beats_and_beats_again(redis_url: str, redis_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a flush, the next beat is there again."""
    monkeypatch.setattr(beating, "BEAT_SECONDS", 0.01)
    async with Redis.from_url(redis_url) as client:
        ledger = Ledger(RedisStore(client), redis_prefix, 2)
        task = asyncio.create_task(keep_beating(ledger))
        for _ in range(2):
            await eventually_async(lambda: _heard(ledger))
            await client.delete(ledger.shard(0).keys.beats)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _heard(ledger: Ledger) -> bool:
    return await silence(ledger.shard(0)) == 0


async def test_a_redis_that_is_away_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process goes on, and beats again later."""
    monkeypatch.setattr(beating, "BEAT_SECONDS", 0.01)
    tried: list[Exception] = []

    class Noting:
        """A store that counts its failures."""

        async def run(self, *_: object) -> object:
            tried.append(RedisError("away"))
            raise tried[-1]

    task = asyncio.create_task(keep_beating(Ledger(Noting(), "", 2)))

    async def twice() -> bool:
        return len(tried) >= 2

    await eventually_async(twice)
    assert not task.done()
    task.cancel()
