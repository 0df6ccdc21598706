"""A Redis Cluster that is away: the same kind of error as of a single server, and the store goes on by itself."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio.cluster import RedisCluster

from ledger.keys import ShardKeys
from ledger.redis_store import RedisStore
from ledger.scan import KEYS_PER_STEP, scan_keys
from ledger.shard import Ledger, Shard
from ledger.state import Log, open_shard, read_state
from local.servers.redis import RedisServer
from runtime.redis import check_server, connect
from runtime.retrying import RETRIABLE
from runtime.settings import RedisSettings
from tests.support.redis_cluster import cluster_url, one_node_cluster


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RedisServer]:
    """A cluster."""
    with one_node_cluster(tmp_path / "node") as node:
        yield node


@asynccontextmanager
async def shard_in(node: RedisServer) -> AsyncIterator[Shard]:
    """A shard in the cluster, by a client of its own."""
    client = connect(RedisSettings(redis_url=cluster_url(node)))
    assert isinstance(client, RedisCluster)
    yield Ledger(RedisStore(client), "", 1).shard(0)
    await client.aclose()


async def test_a_cluster_that_is_away_is_retried_like_any_server(node: RedisServer) -> None:
    """However often it is asked, also by who has never seen it, each error is one that is waited out."""
    async with shard_in(node) as shard, shard_in(node) as stranger:
        await open_shard(shard, Log.USAGE, earliest=4, incarnation="one")
        node.stop()
        for asked in (shard, shard, shard, stranger, stranger):  # the client looks for the nodes anew, and finds none
            with pytest.raises(RETRIABLE):
                await read_state(asked)

        node.start()

        for asked in (shard, stranger):
            assert (await read_state(asked)).fences == {Log.USAGE: 4}


async def test_a_shards_keys_are_listed_by_the_node_that_has_them(node: RedisServer) -> None:
    """And no other shard's."""
    async with shard_in(node) as shard:
        names = [shard.keys.hours(f"acct_{number}", 1) for number in range(2 * KEYS_PER_STEP)]
        other = ShardKeys("", 10).hours("acct_1", 1)
        with Redis.from_url(node.url) as client:
            for name in (*names, other):
                client.hset(name, "1", 1)

        assert sorted({name async for some in scan_keys(shard) for name in some}) == sorted(names)


async def test_a_process_does_not_start_on_a_cluster_that_is_away(node: RedisServer) -> None:
    """It says so in the words of any server."""
    node.stop()
    client = connect(RedisSettings(redis_url=cluster_url(node)))
    with pytest.raises(RETRIABLE):
        await check_server(client)
    await client.aclose()
