"""Opens the folded state for a command, and chooses its shards."""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from local.stack.settings import settings_of
from ops.console.errors import OpsError
from ops.console.target import KAFKA, REDIS, find_env
from ops.logs.reader import LogReader
from runtime.redis import connect
from runtime.settings import KafkaSettings, RedisSettings
from runtime.topics import TopicNames


class LedgerSettings(KafkaSettings, RedisSettings):
    """The settings of commands that read or change the folded state."""


def ledger_settings(directory: Path | None, *, redis_prefix: str | None = None) -> LedgerSettings:
    """Reads the settings from a stack's directory or from the environment.

    Args:
        directory: the stack's directory, see `find_env`.
        redis_prefix: the prefix of another copy of the state; None: the prefix in the settings.
    """
    env = dict(find_env(directory, os.environ, KAFKA, REDIS))
    if redis_prefix is not None:
        env["BILLING_REDIS_PREFIX"] = redis_prefix
    return settings_of(LedgerSettings, env)


@asynccontextmanager
async def open_ledger(settings: LedgerSettings) -> AsyncIterator[Ledger]:
    """Yields the ledger; disconnects from Redis at the end of the context."""
    client = connect(settings)
    try:
        yield Ledger(RedisStore(client), settings.redis_prefix, settings.partitions)
    finally:
        await client.aclose()


def chosen_shards(settings: LedgerSettings, reader: LogReader, shards: Iterable[int] | None) -> list[int]:
    """Returns the named shards, or all: one per partition of the usage log, with partitions that were added later.

    Raises:
        OpsError: there is no such shard.
    """
    every = {*range(settings.partitions), *reader.partitions(TopicNames(settings.topic_prefix).usage)}
    chosen = set(shards or every)
    if unknown := chosen - every:
        raise OpsError(f"there is no shard {min(unknown)}: shards are 0 to {max(every)}")
    return sorted(chosen)
