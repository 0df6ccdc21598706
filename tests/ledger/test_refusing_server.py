"""A server that takes no writes: whoever looks at a shard learns why."""

import shutil
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.status import read_status
from local.servers.redis import RedisServer
from tests.support.eventually import eventually_async


@pytest.fixture
async def client(own_redis: RedisServer) -> AsyncIterator[Redis]:
    """A client of a server of this test's own."""
    async with Redis.from_url(own_redis.url) as client:
        yield client


def shard_of(client: Redis) -> Shard:
    """One that nobody has begun."""
    return Ledger(RedisStore(client), "", 4).shard(1)


async def test_a_server_that_is_full(client: Redis) -> None:
    """By its own bound; with room again nothing is said any more."""
    shard = shard_of(client)
    assert (await read_status(shard)).refuses == ""

    await client.config_set("maxmemory", 1)
    assert (await read_status(shard)).refuses == "maxmemory"

    await client.config_set("maxmemory", 0)
    assert (await read_status(shard)).refuses == ""


async def test_a_server_whose_disk_fails(client: Redis) -> None:
    """A snapshot can't be written: Redis refuses writes then, unless it is told not to."""
    shutil.rmtree(str((await client.config_get("dir"))["dir"]))
    await client.bgsave()

    async def refuses() -> bool:
        return (await read_status(shard_of(client))).refuses == "snapshot"

    await eventually_async(refuses)
