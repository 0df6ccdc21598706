"""A shard in the shared Redis, and ever new ones for generated examples."""

from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest
from redis.asyncio import Redis

from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from tests.ledger.watched import WatchedStore

SHARD = 1


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the shared Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def new_shard(client: Redis, redis_prefix: str) -> Callable[[], Shard]:
    """Makes empty shards, each under a prefix of its own; every call is watched for the keys it declares."""
    numbers = count()
    store = WatchedStore(RedisStore(client))
    return lambda: Ledger(store, f"{redis_prefix}{next(numbers)}:", 4).shard(SHARD)


@pytest.fixture
def shard(new_shard: Callable[[], Shard]) -> Shard:
    """An empty shard."""
    return new_shard()
