"""How every process connects to Redis, and the one server setting that is a refusal to start."""

import logging
from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from runtime.settings import RedisSettings

CALL_TIMEOUT_SECONDS = 10.0  # a black-holed connection must not hang for ever
CONNECT_TIMEOUT_SECONDS = 5.0
CALLS_AT_ONCE = 64  # of one process; a burst waits for its turn
TURN_SECONDS = 5.0
_CLUSTER_SCHEME = "redis+cluster://"
_WANTED = {  # below these, counters and dedupe sets take several times the memory
    "hash-max-listpack-entries": 512,
    "set-max-intset-entries": 8192,
}

log = logging.getLogger(__name__)


class RedisUnsafeError(Exception):
    """The server may throw keys away by itself: nothing may be counted on it."""


class _PackedInC:
    """The asynchronous client packs in Python, which costs a batch of thousands of arguments more than all else."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """The command (its name may be several words) in Redis' protocol."""
        return [hiredis.pack_command((*args[0].encode().split(), *args[1:]))]


class _Connection(_PackedInC, Connection):
    pass


class _TlsConnection(_PackedInC, SSLConnection):
    pass


_PACKED_IN_C: dict[type[Any], type[Any]] = {Connection: _Connection, SSLConnection: _TlsConnection}


def connect(settings: RedisSettings) -> "Redis | RedisCluster":
    """A client for `redis://`, `rediss://` or `redis+cluster://`; nothing is retried behind the caller's back."""
    options: dict[str, Any] = {
        "socket_timeout": CALL_TIMEOUT_SECONDS,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
    }
    if settings.redis_url.startswith(_CLUSTER_SCHEME):
        return RedisCluster.from_url("redis://" + settings.redis_url.removeprefix(_CLUSTER_SCHEME), **options)
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=CALLS_AT_ONCE,
        timeout=TURN_SECONDS,
        retry=Retry(NoBackoff(), 0),
        **options,
    )
    pool.connection_class = _PACKED_IN_C.get(pool.connection_class, pool.connection_class)
    return Redis.from_pool(pool)


async def check_server(client: "Redis | RedisCluster") -> None:
    """Refuses an evicting server and warns of settings that cost memory.

    Raises:
        RedisUnsafeError: `maxmemory-policy` is not `noeviction`.
    """
    policy = str((await _info(client)).get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        raise RedisUnsafeError(
            f"Redis evicts keys (maxmemory-policy {policy}): set it to noeviction, or counts would silently vanish"
        )
    for name, least in _WANTED.items():
        try:
            value = (await client.config_get(name)).get(name)
        except ResponseError:
            return  # CONFIG is forbidden on many hosted servers
        if value is not None and int(value) < least:
            log.warning("Redis: %s is %s; at least %s keeps the state several times smaller", name, value, least)


async def _info(client: "Redis | RedisCluster") -> dict[str, Any]:
    info = await client.info("memory")
    first = next(iter(info.values()), None)
    return first if isinstance(first, dict) else info  # a cluster client answers per node
