"""A shard of a ledger with one shard, in the shared Redis."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from tests.ledger_push.counts import Counts


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the shared Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def shard(client: Redis, redis_prefix: str) -> Shard:
    """An empty shard."""
    return Ledger(RedisStore(client), redis_prefix, 1).shard(0)


@pytest.fixture
def lose_everything(client: Redis, redis_prefix: str) -> Callable[[], Awaitable[None]]:
    """What FLUSHALL does, to this test's keys only."""

    async def delete() -> None:
        await client.delete(*[key async for key in client.scan_iter(match=f"{redis_prefix}*", count=1000)])

    return delete


@pytest.fixture
def counts(shard: Shard) -> Counts:
    """What is published to the shard."""
    return Counts(shard)
