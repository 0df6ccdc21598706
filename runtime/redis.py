"""How every process connects to Redis, and the one server setting that is a refusal to start."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import hiredis
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from runtime.settings import RedisSettings

CALL_TIMEOUT_SECONDS = 10.0  # a black-holed connection must not hang for ever
CONNECT_TIMEOUT_SECONDS = 5.0
CALLS_AT_ONCE = 64  # of one process; a burst waits for its turn
TURN_SECONDS = 5.0
_FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}  # in a URL's query
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # OpenSSL's, in the text of redis-py's error
_CLUSTER_SCHEME = "redis+cluster://"
_TRUST = "name the CA's file in BILLING_REDIS_URL (rediss://...?ssl_ca_certs=FILE), or mend the certificate"
_NO_CLUSTER = "Cluster mode is not enabled"  # redis-py's words
_WANTED = {  # below these, counters and dedupe sets take several times the memory
    "hash-max-listpack-entries": 512,
    "set-max-intset-entries": 8192,
}

log = logging.getLogger(__name__)


class RedisUnsafeError(Exception):
    """The server may throw keys away by itself: nothing may be counted on it."""


class RedisModeError(Exception):
    """The URL is that of a cluster, and the server is none, or the other way round."""


class RedisUntrustedError(Exception):
    """The server's certificate is not one that we trust."""


class RedisUrlError(Exception):
    """The URL says something that the client does not know."""


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
    """A client for `redis://`, `rediss://` or `redis+cluster://`; nothing is retried behind the caller's back.

    Raises:
        RedisUrlError: what follows the `?` of the URL has no meaning, or names files that can't be read.
    """
    query = dict(parse_qsl(urlsplit(settings.redis_url).query))
    try:
        for name in _FILES & query.keys():
            Path(query[name]).read_bytes()
        return _client(settings)
    except OSError as error:
        raise RedisUrlError(f"BILLING_REDIS_URL: {error.filename} can't be read ({error.strerror})") from error
    except (ValueError, TypeError, RedisError) as error:
        raise RedisUrlError(f"BILLING_REDIS_URL: {error}") from error


def _client(settings: RedisSettings) -> "Redis | RedisCluster":
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


async def check_redis(settings: RedisSettings) -> None:
    """As `check_server`, with a client of its own.

    Raises:
        RedisUntrustedError: its certificate is not trusted.
    """
    client = connect(settings)
    try:
        await check_server(client)
    except RedisConnectionError as error:
        if _UNTRUSTED in str(error):
            raise RedisUntrustedError(f"{str(error).rstrip('.')}: {_TRUST}") from error
        raise
    finally:
        await client.aclose()


async def check_server(client: "Redis | RedisCluster") -> None:
    """Refuses an evicting server, or a cluster that has one, and warns of settings that cost memory.

    Raises:
        RedisUnsafeError: `maxmemory-policy` is not `noeviction`.
        RedisModeError: the URL is for a cluster, and this is none; or the other way round.
        RedisError: the server does not answer.
    """
    try:
        masters = await _memory(client)
    except RedisClusterException as error:
        if _NO_CLUSTER in str(error):
            raise RedisModeError(
                "BILLING_REDIS_URL is redis+cluster://, and this Redis is no cluster: write redis://"
            ) from error
        if isinstance(error.__cause__, (AuthenticationError, NoPermissionError)):
            raise error.__cause__ from error
        raise RedisConnectionError(f"the cluster does not answer: {error}") from error
    for policy in (str(info.get("maxmemory_policy", "noeviction")) for info in masters):
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


async def _memory(client: "Redis | RedisCluster") -> list[dict[str, Any]]:
    """INFO memory of the server, or of each of a cluster's masters."""
    if not isinstance(client, RedisCluster):
        if (await client.info("cluster")).get("cluster_enabled"):
            raise RedisModeError("this Redis is a cluster: write redis+cluster:// in BILLING_REDIS_URL")
        return [await client.info("memory")]
    await client.initialize()
    return [await client.info("memory", target_nodes=node) for node in client.get_primaries()]
