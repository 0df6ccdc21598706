"""Scripts on a real Redis."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, NoScriptError, ReadOnlyError, RedisClusterException

from ledger.script import Script

NO_MASTER = (ReadOnlyError, MasterDownError)
"""What a replica answers: a script that writes, or that asks (`ledger/guards/master.lua`), runs on masters only."""

WRITING = ("EVALSHA", "EVAL")


class RedisStore:
    """A `Store` on a redis-py client, whose time-outs bound every call."""

    def __init__(self, client: "Redis | RedisCluster") -> None:
        self._client = client
        self._alone = isinstance(client, Redis)

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Runs the script by its hash; sends its source where the server does not have it (a restart, a failover)."""
        try:
            return await self._run(script, keys, args)
        except NO_MASTER:
            await leave_replica(self._client)
            raise
        except RedisClusterException as error:  # all nodes are away, or none has the slot; it is no `RedisError`
            raise RedisConnectionError(f"the cluster does not answer: {error}") from error

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        by_hash, by_source = self._commands(script)
        try:
            return await self._client.execute_command(by_hash, script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self._client.execute_command(by_source, script.source, len(keys), *keys, *args)

    def _commands(self, script: Script) -> tuple[str, str]:
        """A cluster's client knows the keys of these two commands; for others it would ask the server each time."""
        return commands_of(script) if self._alone else WRITING


def commands_of(script: Script) -> tuple[str, str]:
    """By which commands a server runs a script: by its hash, and by its source."""
    return ("EVALSHA_RO", "EVAL_RO") if script.read_only else WRITING


async def leave_replica(client: "Redis | RedisCluster") -> None:
    """Ends every connection, those in use once they are free: the address may lead to the new master by now.

    A cluster's client learns from the nodes where the master is.
    """
    if isinstance(client, Redis):
        await client.connection_pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
        await client.connection_pool.disconnect(inuse_connections=False)
