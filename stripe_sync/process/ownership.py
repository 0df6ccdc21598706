"""Which shards this process works on: Kafka's consumer group decides, the push log's order protects."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from aiokafka.abc import ConsumerRebalanceListener

from metering.push_fold import ShardDivergedError
from metering.stop import ShardStoppedError
from runtime.clock import Clock
from runtime.retrying import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, RETRIABLE, gives_up
from runtime.settings import GIVE_UP_SECONDS
from stripe_sync.errors import StripeStoppedError, UnreadablePushLogError, WrongStripeError
from stripe_sync.shard.worker import describe
from stripe_sync.tasks import end_tasks

log = logging.getLogger(__name__)

SHARD_STOPS = (ShardDivergedError, UnreadablePushLogError, ShardStoppedError)
PROCESS_STOPS = (StripeStoppedError, WrongStripeError)
STOPPED_SECONDS = 30.0  # until a stopped shard is looked at again: a person may have mended it
IDLE_BEAT_SECONDS = 5.0


class Worker(Protocol):
    """What is run for one shard."""

    async def run(self) -> None:
        """Runs until cancelled, or until it can't go on."""
        ...


async def _nobody(_shard: int, _why: str) -> None:
    """Nobody wants to know."""


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs a worker per owned shard. `failed` is set once an error ends the process.

    What stops one shard, or is a defect that one shard meets, stops this shard alone, and it is tried again from time
    to time: a log, a row or an account never ends the work on the others.
    """

    def __init__(
        self,
        make_worker: Callable[[int], Worker],
        released: Callable[[set[int], set[int]], None],
        clock: Clock,
        stopped: Callable[[int, str], Awaitable[None]] = _nobody,
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        """`released` is told the shards owned now and those given up; `stopped` a shard that can't go on, and why.

        A shard whose servers have been away for `give_up_seconds` ends the process.
        """
        self._give_up_seconds = give_up_seconds
        self._make_worker = make_worker
        self._released = released
        self._clock = clock
        self._stopped = stopped
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
        delay, failing_since, why = FIRST_RETRY_SECONDS, None, ""
        while True:
            started = self._clock.monotonic()
            try:
                await self._make_worker(shard).run()
            except PROCESS_STOPS as error:
                self._fail(error)
                return
            except RETRIABLE as error:
                now = self._clock.monotonic()
                # Longer than any time-out: it had been working, and this is a new failure.
                if failing_since is None or now - started > self._give_up_seconds:
                    delay, failing_since = FIRST_RETRY_SECONDS, now
                if gives_up(error, now - failing_since, self._give_up_seconds):
                    self._fail(error)
                    return
                log.warning("shard %d: %s: %s", shard, type(error).__name__, error)
                await self._clock.sleep(delay)
                delay = min(2 * delay, LAST_RETRY_SECONDS)
            except Exception as error:
                why = await self._stop(shard, error, why)
                await self._clock.sleep(STOPPED_SECONDS)

    async def _stop(self, shard: int, error: Exception, before: str) -> str:
        """Says why a shard does not go on, in the log only if it is another reason than before; gives the reason."""
        expected = isinstance(error, SHARD_STOPS)
        why = str(error) if expected else f"a defect, please report it: {type(error).__name__}: {error}"
        if why != before:
            trace = None if expected else error
            log.critical("shard %d is stopped until a person has looked at it: %s", shard, why, exc_info=trace)
        try:
            await self._stopped(shard, why)
        except RETRIABLE as failure:
            log.warning("shard %d: can't say that it is stopped: %s: %s", shard, type(failure).__name__, failure)
        return why

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


async def beat_while_idle(ownership: Ownership, beat: Callable[[], None], clock: Clock) -> None:
    """A standby is alive too, although no shard beats for it."""
    while True:
        if ownership.idle:
            beat()
        await clock.sleep(IDLE_BEAT_SECONDS)
