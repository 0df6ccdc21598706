"""Scripts on a real Redis."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError

from ledger.script import Script


class RedisStore:
    """A `Store` on a redis-py client, whose time-outs bound every call."""

    def __init__(self, client: "Redis | RedisCluster") -> None:
        self._client = client

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Runs the script by its hash; sends its source where the server does not have it (a restart, a failover)."""
        try:
            return await self._client.evalsha(script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self._client.eval(script.source, len(keys), *keys, *args)
