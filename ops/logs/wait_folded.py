"""Waits until an aggregator has folded a written record into Redis."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from redis.exceptions import RedisError

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log, read_state
from ops.console.errors import OpsError
from ops.logs.settings import TableSettings
from ops.logs.table_log import TablePlace
from runtime.redis import connect

FOLD_SECONDS = 20.0  # seconds until the fold must have passed all records
POLL_SECONDS = 0.05  # seconds between two looks

Fence = Callable[[int], Awaitable[int]]


def wait_folded(settings: TableSettings, log: Log, topic: str, places: Sequence[TablePlace]) -> None:
    """Returns once the shards' fences have passed the records: from then on all readers see them.

    Raises:
        OpsError: the wait took too long; the records stay in Kafka and will be folded later.
    """
    asyncio.run(_wait(settings, log, topic, places))


async def _wait(settings: TableSettings, log: Log, topic: str, places: Sequence[TablePlace]) -> None:
    client = connect(settings)
    ledger = Ledger(RedisStore(client), settings.redis_prefix, settings.partitions)

    async def fence(partition: int) -> int:
        return (await read_state(ledger.shard(partition))).fences.get(log, 0)

    deadline = time.monotonic() + FOLD_SECONDS
    try:
        for place in places:
            await _until_past(fence, place, deadline)
    except (TimeoutError, RedisError) as error:
        reason = "not folded yet" if isinstance(error, TimeoutError) else str(error)
        raise OpsError(
            f"written to {topic} in Kafka, but Redis at {_host(settings.redis_url)} does not show it ({reason}): check "
            f"that an aggregator runs on both, with BILLING_TOPIC_PREFIX={settings.topic_prefix!r} and "
            f"BILLING_REDIS_PREFIX={settings.redis_prefix!r}"
        ) from error
    finally:
        await client.aclose()


async def _until_past(fence: Fence, place: TablePlace, deadline: float) -> None:
    while await fence(place.partition) <= place.offset:
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(POLL_SECONDS)


def _host(url: str) -> str:
    """Returns the URL without its user and password."""
    return url.rpartition("@")[2]
