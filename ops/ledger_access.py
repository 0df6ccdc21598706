"""Where the folded state is, and the logs that it is folded from."""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from local.stack.settings import settings_of
from ops.errors import OpsError
from ops.stack_env import KAFKA, REDIS, find_env
from runtime.redis import connect
from runtime.settings import KafkaSettings, RedisSettings

Client = Redis | RedisCluster


class LedgerSettings(KafkaSettings, RedisSettings):
    """What the commands that look after the state are told from outside."""


def ledger_settings(directory: Path | None, *, redis_prefix: str | None = None) -> LedgerSettings:
    """The settings of a stack's directory or of the environment.

    Args:
        directory: as `find_env` takes it.
        redis_prefix: another copy of the state than the one that the settings name.
    """
    env = dict(find_env(directory, os.environ, KAFKA, REDIS))
    if redis_prefix is not None:
        env["BILLING_REDIS_PREFIX"] = redis_prefix
    return settings_of(LedgerSettings, env)


@asynccontextmanager
async def open_ledger(settings: LedgerSettings) -> AsyncIterator[tuple[Client, Ledger]]:
    """A client, and the shards behind it."""
    client = connect(settings)
    try:
        yield client, Ledger(RedisStore(client), settings.redis_prefix, settings.partitions)
    finally:
        await client.aclose()


def chosen_shards(settings: LedgerSettings, shards: Iterable[int] | None) -> list[int]:
    """The shards that were named, or all.

    Raises:
        OpsError: there is no such shard.
    """
    chosen = sorted(set(shards or range(settings.partitions)))
    unknown = [shard for shard in chosen if not 0 <= shard < settings.partitions]
    if unknown:
        raise OpsError(f"there is no shard {unknown[0]}: shards are 0 to {settings.partitions - 1}")
    return chosen
