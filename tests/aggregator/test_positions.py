"""Positions: what reaches the folds after a seek, whatever was under way when it happened."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from redis.exceptions import AuthenticationError, RedisError

import aggregator.positions
from aggregator.folds.fold import FoldStanding
from aggregator.log_check import LogBounds
from aggregator.partition_batch import ChainLink, PartitionBatch
from aggregator.positions import Positions
from aggregator.stops import Stops
from ledger.state import ShardClearingError
from metering.counting import Interval
from metering.stop import ShardStoppedError, StopReason
from tests.support.eventually import eventually_async

USAGE = TopicPartition("usage.events", 0)
OTHER = TopicPartition("usage.events", 1)


@dataclass
class FakeBroker:
    """Remembers where it was told to go on, and what was started."""

    held: set[TopicPartition] = field(default_factory=lambda: {USAGE, OTHER})
    links: dict[TopicPartition, ChainLink] = field(default_factory=dict)
    rested: list[TopicPartition] = field(default_factory=list)
    asked: list[set[TopicPartition]] = field(default_factory=list)
    crashed: list[BaseException] = field(default_factory=list)
    commits: list[Mapping[TopicPartition, int]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def assignment(self) -> set[TopicPartition]:
        """The partitions that are held."""
        return self.held

    async def bounds(self, tps: Set[TopicPartition]) -> dict[TopicPartition, LogBounds]:
        """All logs begin at 0 and end at 1,000; Kafka was never told anything."""
        self.asked.append(set(tps))
        return dict.fromkeys(tps, LogBounds(0, 1000, 0))

    async def stable_ends(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:
        """All logs end at 1,000."""
        return dict.fromkeys(tps, 1000)

    async def high_watermarks(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:
        """And hold nothing back."""
        return dict.fromkeys(tps, 1000)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Takes it."""
        self.commits.append(dict(offsets))
        return True

    async def begin(self, links: Mapping[TopicPartition, ChainLink]) -> None:
        """New chains."""
        self.links.update(links)

    async def rest(self, tp: TopicPartition, generation: int) -> None:
        """No chain, until one begins anew."""
        if tp in self.links and self.links[tp].generation <= generation:
            del self.links[tp]
        self.rested.append(tp)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def crash(self, error: BaseException) -> None:
        """The process's end."""
        self.crashed.append(error)

    def is_stopping(self) -> bool:
        """It is not."""
        return False


class Bench:
    """Positions whose shards stand at `fences`; a hook may stand in the way of each shard that is opened."""

    def __init__(self) -> None:
        self.broker = FakeBroker()
        self.positions = Positions(self.broker, self._open_fold, Stops())
        self.fences: dict[TopicPartition, int | Exception] = {USAGE: 100, OTHER: 100}
        self.taken: list[PartitionBatch] = []
        self.opening: Callable[[TopicPartition], Awaitable[None]] | None = None

    async def _open_fold(self, tp: TopicPartition, bounds: LogBounds) -> FoldStanding:
        """The fence, or what goes wrong on the way to it: once, unless it stops the log."""
        if self.opening is not None:
            await self.opening(tp)
        fence = self.fences[tp]
        if isinstance(fence, ShardStoppedError):
            raise fence
        if isinstance(fence, Exception):
            self.fences[tp] = 100
            raise fence
        return FoldStanding(fence)

    def read(self, tp: TopicPartition, end: int) -> PartitionBatch:
        """What is read next of a partition, up to `end`."""
        start, generation, _ = self.broker.links[tp]
        self.broker.links[tp] = ChainLink(end, generation)
        return PartitionBatch(tp, Interval(start, end, ()), generation)

    def take(self, batch: PartitionBatch) -> None:
        """What is read reaches the folds, unless it is void."""
        if self.positions.is_current(batch):
            self.taken.append(batch)

    def fold(self, batch: PartitionBatch) -> None:
        """A batch is folded."""
        self.positions.begin()
        self.positions.finish(batch, applied=True)

    def current(self) -> list[tuple[int, int]]:
        """The intervals that a fold would still see."""
        return [(b.interval.start, b.interval.end) for b in self.taken if self.positions.is_current(b)]

    async def resynced(self) -> None:
        """Waits until nothing is looked for any more."""

        async def done() -> bool:
            return not self.broker.tasks

        await eventually_async(done)


@pytest.fixture
async def bench() -> Bench:
    """Positions that have just been assigned two partitions."""
    bench = Bench()
    await bench.positions.seek_all()
    bench.broker.asked.clear()
    return bench


async def test_batches_follow_from_the_fence(bench: Bench) -> None:
    """One chain per partition."""
    for end in (110, 111, 150):
        bench.take(bench.read(USAGE, end))

    assert bench.current() == [(100, 110), (110, 111), (111, 150)]


async def test_a_batch_read_before_a_seek_does_not_pass_for_one_read_after_it(bench: Bench) -> None:
    """Even if it begins where the shard stands: the client reads that again, and the chain would break for ever."""
    bench.take(bench.read(USAGE, 110))
    on_its_way = bench.read(USAGE, 120)
    bench.fences[USAGE] = 110  # the first batch was applied; its reply was lost

    bench.positions.resync(USAGE, "no reply")
    await bench.resynced()
    bench.take(on_its_way)
    for end in (125, 130):
        bench.take(bench.read(USAGE, end))

    assert bench.current() == [(110, 125), (125, 130)]


async def test_a_seek_voids_what_was_read_of_its_partition_alone(bench: Bench) -> None:
    """The other one goes on."""
    for tp in (USAGE, OTHER):
        bench.take(bench.read(tp, 110))

    bench.positions.resync(USAGE, "gap")
    await bench.resynced()

    assert [bench.positions.is_current(batch) for batch in bench.taken] == [False, True]


async def test_nothing_is_folded_while_a_position_is_found(bench: Bench) -> None:
    """A batch of the older chain would move what the fold remembers on, past where the new chain begins."""
    bench.take(bench.read(USAGE, 110))
    meanwhile = []

    async def opening(_: TopicPartition) -> None:
        meanwhile.append(bench.current())

    bench.opening = opening
    await bench.positions.seek_all()

    assert meanwhile == [[], []]


async def test_a_position_is_asked_for_until_the_shard_answers(bench: Bench) -> None:
    """And only once at a time, however often it is wanted."""
    bench.fences[USAGE] = RedisError("away")

    bench.positions.resync(USAGE, "first")
    bench.positions.resync(USAGE, "second")
    await bench.resynced()

    assert bench.broker.links[USAGE].offset == 100
    assert bench.positions.applied[USAGE] == 100


async def test_positions_that_are_lost_together_are_found_together(bench: Bench) -> None:
    """In one go; a shard that does not answer holds up nobody else."""
    asked = bench.broker.asked
    for tp in (USAGE, OTHER):
        bench.positions.resync(tp, "flushed")
    await bench.resynced()
    assert asked == [{USAGE, OTHER}]

    asked.clear()
    bench.fences[OTHER] = ShardClearingError(1)
    for tp in (USAGE, OTHER):
        bench.positions.resync(tp, "flushed")
    await bench.resynced()
    assert sorted(asked[1:], key=str) == [{USAGE}, {OTHER}]
    assert {tp: place.offset for tp, place in bench.broker.links.items()} == {USAGE: 100, OTHER: 100}


async def test_a_position_that_was_revoked_while_it_was_found_begins_no_chain(bench: Bench) -> None:
    """The shard is somebody else's by then, though the assignment does not say so before the rebalance has ended."""
    before = dict(bench.broker.links)

    async def opening(tp: TopicPartition) -> None:
        if tp == USAGE:
            bench.positions.revoke({USAGE})

    bench.fences, bench.opening = {USAGE: 200, OTHER: 200}, opening
    bench.positions.resync(USAGE, "gap")
    bench.positions.resync(OTHER, "gap")
    await bench.resynced()

    assert bench.broker.links[USAGE] == before[USAGE]
    assert bench.broker.links[OTHER].offset == 200


async def test_what_a_fence_has_refused_is_void_whoever_holds_the_partition(bench: Bench) -> None:
    """Or a later batch of the chain might begin where the shard stands by then, and meet an older state's memory."""
    bench.take(bench.read(USAGE, 110))
    bench.broker.held = {OTHER}

    bench.positions.resync(USAGE, "gap")
    bench.take(bench.read(USAGE, 120))

    assert not bench.current()


async def test_a_partition_that_was_lost_is_not_looked_for(bench: Bench) -> None:
    """Its new owner does that."""
    bench.broker.held = {OTHER}
    before = dict(bench.broker.links)

    bench.positions.resync(USAGE, "gap")
    await bench.resynced()

    assert bench.broker.links == before


async def test_a_rebalance_voids_everything(bench: Bench) -> None:
    """What is queued belongs to whoever owns the partition next."""
    for tp in (USAGE, OTHER):
        bench.take(bench.read(tp, 110))

    bench.positions.revoke({USAGE, OTHER})

    assert not bench.current()
    assert not bench.positions.applied


async def test_applied_batches_are_remembered_if_they_are_still_current(bench: Bench) -> None:
    """A batch that was voided while it was folded says nothing about the position."""
    bench.take(bench.read(USAGE, 110))
    (batch,) = bench.taken
    bench.fold(batch)
    assert bench.positions.applied[USAGE] == 110

    bench.positions.resync(USAGE, "flushed")
    await bench.resynced()
    bench.fold(batch)

    assert bench.positions.applied[USAGE] == 100


async def test_a_rebalance_waits_for_folds_in_flight(bench: Bench) -> None:
    """Within bounds: the fence judges what is left."""
    bench.take(bench.read(USAGE, 110))
    bench.positions.begin()
    waiting = asyncio.create_task(bench.positions.settle())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert not bench.broker.commits
    bench.positions.finish(bench.taken[0], applied=True)
    await waiting

    assert bench.broker.commits == [{USAGE: 110, OTHER: 100}]


@pytest.mark.parametrize("error", [RedisError("away"), KafkaConnectionError("away"), ShardClearingError(0)], ids=repr)
async def test_a_rebalance_while_a_server_is_away_is_no_end(bench: Bench, error) -> None:
    """What can't be found at once is looked for on and on, as for a position that was lost."""
    bench.fences[USAGE] = error

    assert await bench.positions.seek_all() == {}
    await bench.resynced()

    assert bench.positions.applied == {USAGE: 100, OTHER: 100}


async def test_a_rebalance_does_not_wait_for_a_position_longer_than_faust_does(bench: Bench, monkeypatch) -> None:
    """A partition without a leader, or a Redis that hangs: Faust would leave its recovery and never seek again."""
    monkeypatch.setattr(aggregator.positions, "SEEK_SECONDS", 0.05)
    answers = asyncio.Event()

    async def opening(_: TopicPartition) -> None:
        await answers.wait()

    bench.opening = opening
    bench.positions.applied.clear()

    assert await bench.positions.seek_all() == {}
    answers.set()
    await bench.resynced()

    assert bench.positions.applied == {USAGE: 100, OTHER: 100}


async def test_a_rebalance_where_only_a_person_can_help_is_the_end(bench: Bench) -> None:
    """It is not tried for a minute."""
    error = AuthenticationError("wrong password")

    async def opening(tp: TopicPartition) -> None:
        if tp == USAGE:
            raise error

    bench.opening = opening
    await bench.positions.seek_all()
    await bench.resynced()

    assert bench.broker.crashed == [error]


AHEAD = ShardStoppedError(StopReason.APPENDED_AHEAD, 100, "a clock is wrong")


async def rested(bench: Bench, tp: TopicPartition) -> None:
    """Waits until nothing more of the partition is read."""

    async def done() -> bool:
        return tp in bench.broker.rested

    await eventually_async(done)


async def test_a_log_that_is_stopped_rests_and_no_other(bench: Bench) -> None:
    """What was read of it is void, and nothing more of it is read."""
    for tp in (USAGE, OTHER):
        bench.take(bench.read(tp, 110))

    bench.positions.stop_log(USAGE, AHEAD)
    await rested(bench, USAGE)

    assert [bench.positions.is_current(batch) for batch in bench.taken] == [False, True]
    assert bench.broker.links.keys() == {OTHER}
    assert bench.positions.stops.standing.keys() == {USAGE}


async def test_a_log_that_is_stopped_is_tried_again(bench: Bench) -> None:
    """Its position is found, its chain begins; it goes on once something of it is folded."""
    bench.positions.stop_log(USAGE, AHEAD)
    await rested(bench, USAGE)

    bench.positions.try_stopped()
    await bench.resynced()
    assert bench.positions.stops.standing.keys() == {USAGE}
    for end in (100, 110):
        batch = bench.read(USAGE, end)
        bench.fold(batch)
        assert bench.positions.stops.standing.keys() == ({USAGE} if end == 100 else set())


async def test_a_log_may_be_tried_at_once(bench: Bench) -> None:
    """When a person has said what is to be done with it; that voids no chain of a log that is not stopped."""
    bench.positions.stop_log(USAGE, AHEAD)
    await rested(bench, USAGE)
    generation = bench.broker.links[OTHER].generation

    bench.positions.try_again(USAGE)
    bench.positions.try_again(OTHER)
    await bench.resynced()

    assert bench.broker.links[USAGE].offset == 100
    assert bench.broker.links[OTHER].generation == generation


@pytest.mark.parametrize("fence", [AHEAD, 1001], ids=["its fold refuses", "its log is shorter"])
async def test_a_position_that_can_not_be_found_stops_its_log_and_no_other(bench: Bench, fence) -> None:
    """At a rebalance, and whenever it is tried again; when it is found, the chain begins."""
    bench.fences[USAGE], bench.fences[OTHER] = fence, 200
    bench.broker.links.clear()

    for _ in range(2):
        assert await bench.positions.seek_all() == {OTHER: 200}
    bench.positions.try_stopped()
    await bench.resynced()
    assert bench.broker.links.keys() == {OTHER}
    assert bench.positions.stops.standing.keys() == {USAGE}

    bench.fences[USAGE] = 300
    bench.positions.try_stopped()
    await bench.resynced()
    assert bench.broker.links[USAGE].offset == 300
    assert not bench.positions.stops.standing


async def test_a_stopped_log_of_a_partition_that_was_lost_is_its_new_owner_s(bench: Bench) -> None:
    """It is neither told of nor tried any more."""
    bench.positions.stop_log(USAGE, AHEAD)
    bench.positions.revoke({USAGE, OTHER})
    assert not bench.positions.stops.standing

    bench.broker.held = {OTHER}
    bench.positions.stop_log(USAGE, AHEAD)
    assert not bench.positions.stops.standing
