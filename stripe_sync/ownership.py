"""Which shards this process works on: Kafka's consumer group decides, the push log's order protects."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from metering.push_fold import ShardDivergedError
from runtime.clock import Clock
from stripe_sync.errors import PushLogLostError, UnreadablePushLogError
from stripe_sync.shard_worker import describe
from stripe_sync.tasks import end_tasks

log = logging.getLogger(__name__)

RETRIABLE = (KafkaError, RedisError, OSError, TimeoutError)
SHARD_STOPS = (ShardDivergedError, UnreadablePushLogError, PushLogLostError)
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
GIVE_UP_SECONDS = 60.0  # then the process ends and its supervisor starts another


class Worker(Protocol):
    """What is run for one shard."""

    async def run(self) -> None:
        """Runs until cancelled, or until it can't go on."""
        ...


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs a worker per owned shard. `failed` is set once an error ends the process."""

    def __init__(
        self, make_worker: Callable[[int], Worker], released: Callable[[set[int], set[int]], None], clock: Clock
    ) -> None:
        """`released` is told the shards that are owned now and those that were given up."""
        self._make_worker = make_worker
        self._released = released
        self._clock = clock
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Ends the workers of shards that may go to somebody else; what they had in flight is found in the log."""
        await self.release({place.partition for place in revoked})

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Starts a worker for each shard."""
        shards = {place.partition for place in assigned}
        log.info("shards: %s", describe(shards))
        for shard in shards - self._tasks.keys():
            self._tasks[shard] = asyncio.create_task(self._keep_running(shard), name=f"shard-{shard}")
        self._released(set(self._tasks), set())

    @property
    def idle(self) -> bool:
        """True for a standby: the group has given this process no shard."""
        return not self._tasks

    async def release(self, shards: set[int]) -> None:
        """Stops the workers of some shards and waits for their end."""
        await end_tasks([self._tasks.pop(shard) for shard in shards if shard in self._tasks])
        self._released(set(self._tasks), shards)

    async def release_all(self) -> None:
        """Stops every worker."""
        await self.release(set(self._tasks))

    async def _keep_running(self, shard: int) -> None:
        delay, failing_since = FIRST_RETRY_SECONDS, None
        while True:
            started = self._clock.monotonic()
            try:
                await self._make_worker(shard).run()
            except SHARD_STOPS as error:
                log.critical("shard %d is stopped until a person has looked at it: %s", shard, error)
                return
            except RETRIABLE as error:
                now = self._clock.monotonic()
                # Longer than any time-out: it had been working, and this is a new failure.
                if failing_since is None or now - started > GIVE_UP_SECONDS:
                    delay, failing_since = FIRST_RETRY_SECONDS, now
                if now - failing_since > GIVE_UP_SECONDS:
                    self._fail(error)
                    return
                log.warning("shard %d: %s: %s", shard, type(error).__name__, error)
                await self._clock.sleep(delay)
                delay = min(2 * delay, LAST_RETRY_SECONDS)
            except Exception as error:
                self._fail(error)
                return

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
