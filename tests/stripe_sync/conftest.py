"""A world for a test, on the shared Redis or on one that may be flushed."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from local.servers.redis import RedisServer

from .world import World, a_world


@pytest.fixture
async def world(redis_url: str, redis_prefix: str) -> AsyncIterator[World]:
    """A world on the shared Redis."""
    async with Redis.from_url(redis_url) as redis, a_world(redis, redis_prefix) as world:
        yield world


@pytest.fixture
async def flushable_world(own_redis: RedisServer) -> AsyncIterator[World]:
    """A world whose Redis is the test's own."""
    async with Redis.from_url(own_redis.url) as redis, a_world(redis, "") as world:
        yield world
