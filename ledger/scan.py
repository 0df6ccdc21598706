"""The names of a shard's keys, as the server has them."""

from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from ledger.keys import ShardKeys

KEYS_PER_STEP = 1000  # bounds a step's time; a server with many shards has most of its keys in others


async def scan_keys(client: "Redis | RedisCluster", keys: ShardKeys, kind: str = "") -> AsyncIterator[list[str]]:
    """All keys of a shard that begin so, a list at a time, some of them perhaps twice.

    Args:
        client: of a server, or of a cluster, where only the node that has the shard is asked.
        keys: the shard's.
        kind: what comes after the hash tag, such as `u:`; empty: every key but the fences hash. Keys that come or go
            meanwhile may be missing or be named.
    """
    server = client.get_node_from_key(keys.fences) if isinstance(client, RedisCluster) else client
    if server is None:  # a cluster that does not know who has the slot says so in its own words
        raise ConnectionError(f"no node of the cluster has the slot of {keys.fences}")
    pattern = f"{keys.fences.removesuffix('f')}{kind}*"
    cursor = 0
    while True:
        cursor, found = await server.execute_command("SCAN", cursor, "MATCH", pattern, "COUNT", KEYS_PER_STEP)
        names = [name.decode() for name in found]
        yield [name for name in names if name != keys.fences]
        if cursor == 0:
            return
