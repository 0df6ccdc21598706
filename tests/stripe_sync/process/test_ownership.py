"""Which shards this process works on, and what becomes of a worker that fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from redis.exceptions import ConnectionError as RedisConnectionError

from metering.push_fold import ShardDivergedError
from runtime.settings import GIVE_UP_SECONDS
from stripe_sync.errors import PushLogLostError, StripeStoppedError, UnreadablePushLogError, WrongStripeError
from stripe_sync.process.ownership import STOPPED_SECONDS, Ownership
from tests.stripe_sync.manual_clock import ManualClock
from tests.support.eventually import eventually_async


@dataclass
class Worker:
    """A worker that does what the test says."""

    life: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Runs."""
        await self.life()


@dataclass
class Process:
    """An ownership, the workers that it made, and what it told of its shards."""

    life: Callable[[], Awaitable[None]]
    clock: ManualClock = field(default_factory=ManualClock)
    made: list[int] = field(default_factory=list)
    told: list[tuple[set[int], set[int]]] = field(default_factory=list)
    stops: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ownership = Ownership(self._make, lambda *shards: self.told.append(shards), self.clock, self._stopped)

    async def _stopped(self, shard: int, why: str) -> None:
        self.stops.append((shard, why))

    def _make(self, shard: int) -> Worker:
        self.made.append(shard)
        return Worker(self.life)


async def for_ever() -> None:
    """A worker at work."""
    await asyncio.Event().wait()


def places(*shards: int) -> set[TopicPartition]:
    """As Kafka names them."""
    return {TopicPartition("stripe.pushes", shard) for shard in shards}


@pytest.fixture
async def processes() -> AsyncIterator[Callable[..., Process]]:
    """Makes processes; their workers are ended after the test."""
    made: list[Process] = []

    def make(life: Callable[[], Awaitable[None]] = for_ever) -> Process:
        made.append(Process(life))
        return made[-1]

    yield make
    for process in made:
        await process.ownership.release_all()
        if process.ownership.failed.done():
            process.ownership.failed.exception()


async def test_each_owned_shard_has_one_worker(processes: Callable[..., Process]) -> None:
    """Assigned twice, it still has one; given up, it has none; and the rate's share follows."""
    process = processes()
    await process.ownership.on_partitions_assigned(places(1, 2))
    await process.ownership.on_partitions_assigned(places(1, 2))
    await asyncio.sleep(0)
    assert sorted(process.made) == [1, 2]
    await process.ownership.on_partitions_revoked(places(1))
    assert process.told[-1] == ({2}, {1})
    await process.ownership.on_partitions_assigned(places(1, 2))
    await asyncio.sleep(0)
    assert sorted(process.made) == [1, 1, 2]


async def test_a_shard_given_up_is_at_rest_when_it_is_given_up(processes: Callable[..., Process]) -> None:
    """The group goes on only once the worker has ended, even one that does not hear at first."""
    ended: list[bool] = []

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

    process = processes(deaf)
    await process.ownership.on_partitions_assigned(places(1))
    await asyncio.sleep(0)
    await asyncio.wait_for(process.ownership.on_partitions_revoked(places(1)), 5)
    assert ended == [True]


@pytest.mark.parametrize("error", [KafkaTimeoutError(), RedisConnectionError(), ConnectionResetError(), TimeoutError()])
async def test_a_server_that_is_away_is_waited_for(processes: Callable[..., Process], error: Exception) -> None:
    """A new worker each time, with growing pauses."""
    failures = 5

    async def fails_at_first() -> None:
        if len(process.made) <= failures:
            raise error
        await for_ever()

    process = processes(fails_at_first)
    await process.ownership.on_partitions_assigned(places(1))
    await eventually_async(lambda: made(process, failures + 1))
    assert process.clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert not process.ownership.failed.done()


async def made(process: Process, workers: int) -> bool:
    """So many workers were made."""
    return len(process.made) >= workers


@pytest.mark.parametrize("each_takes", [0.0, 10.0, 40.0])
async def test_a_server_that_stays_away_ends_the_process(processes: Callable[..., Process], each_takes: float) -> None:
    """After a minute without success, be it that each attempt fails at once or after a long time-out."""

    async def fails() -> None:
        process.clock.advance(each_takes)
        raise KafkaTimeoutError

    process = processes(fails)
    await process.ownership.on_partitions_assigned(places(1))
    with pytest.raises(KafkaTimeoutError):
        await asyncio.wait_for(asyncio.shield(process.ownership.failed), 5)
    assert GIVE_UP_SECONDS <= process.clock.monotonic() <= GIVE_UP_SECONDS + 2 * (each_takes + 5)


async def test_a_worker_that_had_worked_for_long_starts_afresh(processes: Callable[..., Process]) -> None:
    """An outage now and then is not one that lasts."""

    async def works_then_fails() -> None:
        if len(process.made) > 10:
            await for_ever()
        process.clock.advance(3600)
        raise KafkaTimeoutError

    process = processes(works_then_fails)
    await process.ownership.on_partitions_assigned(places(1))
    await eventually_async(lambda: made(process, 11))
    assert not process.ownership.failed.done()
    assert set(process.clock.slept) == {0.1}


@pytest.mark.parametrize(
    "error", [ShardDivergedError("x"), UnreadablePushLogError("x"), PushLogLostError(7, "x"), KeyError("x")]
)
async def test_a_broken_shard_stops_alone_and_is_looked_at_again(
    processes: Callable[..., Process], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on. It is said each time and logged once; once it is mended, it goes on by itself."""

    async def broken_at_first() -> None:
        if process.made.count(1) <= 3 and process.made[-1] == 1:
            raise error
        await for_ever()

    process = processes(broken_at_first)
    await process.ownership.on_partitions_assigned(places(2))
    await asyncio.sleep(0)
    await process.ownership.on_partitions_assigned(places(1, 2))
    await eventually_async(lambda: made(process, 5))
    assert process.made == [2, 1, 1, 1, 1]
    assert process.clock.slept == [STOPPED_SECONDS] * 3
    assert [shard for shard, _ in process.stops] == [1, 1, 1]
    assert len({why for _, why in process.stops}) == 1
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
    assert not process.ownership.failed.done()


async def test_a_stop_that_can_not_be_told_is_a_stop_all_the_same(processes: Callable[..., Process]) -> None:
    """Redis is away as well: the shard is tried again later, and the process goes on."""

    async def broken_at_first() -> None:
        if len(process.made) == 1:
            raise ShardDivergedError("x")
        await for_ever()

    async def unheard(_shard: int, _why: str) -> None:
        raise RedisConnectionError

    process = processes(broken_at_first)
    process.ownership._stopped = unheard
    await process.ownership.on_partitions_assigned(places(1))
    await eventually_async(lambda: made(process, 2))
    assert not process.ownership.failed.done()


@pytest.mark.parametrize("error", [StripeStoppedError("x"), WrongStripeError("x")])
async def test_what_concerns_all_shards_ends_the_process(processes: Callable[..., Process], error: Exception) -> None:
    """A refused key, another Stripe's log."""

    async def fails() -> None:
        raise error

    process = processes(fails)
    await process.ownership.on_partitions_assigned(places(1, 2))
    with pytest.raises(type(error)):
        await asyncio.wait_for(asyncio.shield(process.ownership.failed), 5)
