"""The push log's fold by itself, for a second copy of the state: plans nothing, sends nothing, appends nothing."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from uuid import uuid4

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from runtime.clock import Clock, SystemClock
from runtime.monitor import Pulse
from runtime.redis import connect
from runtime.topics import TopicNames
from runtime.watchdog import Watchdog
from stripe_sync.process.group import group_consumer, until_stopped
from stripe_sync.process.ownership import Ownership, beat_while_idle
from stripe_sync.process.telling import shard_stopped
from stripe_sync.push_log.folder import PushFolder
from stripe_sync.push_log.log import KafkaPushLog
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.tasks import end_tasks

IDLE_SECONDS = 1.0
BEHIND_SECONDS = 0.1


class FoldOnlyWorker:
    """Keeps one shard at the end of its push log."""

    def __init__(self, folder: PushFolder, clock: Clock, beat: Callable[[], None]) -> None:
        """`beat` is called after every turn that went well."""
        self._folder = folder
        self._clock = clock
        self._beat = beat

    async def run(self) -> None:
        """Runs until cancelled, or until something that only a person can mend."""
        while True:
            folded = await self._folder.fold_to_end()
            self._beat()
            await self._clock.sleep(BEHIND_SECONDS if folded is None else IDLE_SECONDS)


async def serve_fold_only(settings: StripeSyncSettings, stop: asyncio.Event, pulse: Pulse) -> None:
    """Folds until `stop` is set; beats `pulse` while it gets on. Stripe is never asked for anything."""
    clock = SystemClock()
    async with AsyncExitStack() as closing:
        redis = connect(settings)
        closing.push_async_callback(redis.aclose)
        ledger = Ledger(RedisStore(redis), settings.redis_prefix, settings.partitions)
        consumer = group_consumer(settings)
        await consumer.start()
        closing.push_async_callback(consumer.stop)
        topic = TopicNames(settings.topic_prefix).pushes
        push_log = KafkaPushLog(topic, consumer, producer=None)

        def make_worker(shard: int) -> FoldOnlyWorker:
            push_log.forget(shard)
            folder = PushFolder(ledger.shard(shard), push_log, clock, lambda: uuid4().hex)
            return FoldOnlyWorker(folder, clock, pulse.beat)

        stopped = shard_stopped(ledger, pulse.beat)
        ownership = Ownership(
            make_worker, lambda _owned, _released: None, clock, stopped, give_up_seconds=settings.give_up_seconds
        )
        closing.push_async_callback(ownership.release_all)
        consumer.subscribe([topic], listener=ownership)
        standing_by: asyncio.Task[object] = asyncio.create_task(beat_while_idle(ownership, pulse.beat, clock))
        closing.push_async_callback(end_tasks, [standing_by])
        Watchdog(pulse).start()
        await until_stopped(stop, ownership.failed, standing_by)
