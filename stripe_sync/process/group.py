"""The consumer group that decides which process works on which shard."""

import asyncio

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from runtime.async_consumer import AsyncConsumer
from runtime.kafka import async_options
from stripe_sync.settings import StripeSyncSettings

SESSION_MS = 10_000
# aiokafka takes a member that does not poll out of the group, and never lets it back in; a member without shards has
# nothing to poll, and is there to take over. It is the heartbeat that tells who is alive.
POLL_INTERVAL_MS = 2**31 - 1


def group_consumer(settings: StripeSyncSettings) -> AsyncConsumer:
    """A member of the group; it also reads the push log. Each copy of the state has a group of its own."""
    return AsyncConsumer(
        group_id=f"{settings.topic_prefix}{settings.redis_prefix}stripe-sync",
        group_instance_id=settings.process_name or None,
        partition_assignment_strategy=[RoundRobinPartitionAssignor],
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=2_000,
        max_poll_interval_ms=POLL_INTERVAL_MS,
        **async_options(settings),
    )


async def until_stopped(stop: asyncio.Event, *failing: asyncio.Future[object]) -> None:
    """Returns once `stop` is set; raises what ended the first of `failing`."""
    stopped: asyncio.Future[object] = asyncio.ensure_future(stop.wait())
    await asyncio.wait([stopped, *failing], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for each in failing:
        if each.done():
            each.result()
