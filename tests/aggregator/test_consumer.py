"""The chain of batches: what reaches the folds after a seek, whatever was under way when it happened."""

import asyncio
import gc
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import KafkaConnectionError
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from prometheus_client import CollectorRegistry
from redis.exceptions import AuthenticationError, RedisError

import aggregator.consumer
from aggregator.app import create_app
from aggregator.consumer import BatchConsumer
from aggregator.fetch_thread import BatchThread, PartitionBatch, Place
from aggregator.fold import Standing
from aggregator.liveness import Liveness
from aggregator.metrics import AggregatorMetrics
from aggregator.positions import LogBounds, LogLostError
from aggregator.settings import AggregatorSettings
from ledger.state import ShardClearingError
from metering.counting import Interval, mark_of
from tests.metering.events import Record
from tests.support.eventually import eventually_async

USAGE = TP("usage.events", 0)
OTHER = TP("usage.events", 1)
TABLE = TP("billing.accounts", 0)


@dataclass
class FakeThread:
    """The client's thread: it remembers where it was told to go on."""

    held: set[TP] = field(default_factory=lambda: {USAGE, OTHER})
    places: dict[TP, Place] = field(default_factory=dict)

    def assignment(self) -> set[TP]:
        """The partitions that are held."""
        return self.held

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        """All logs begin at 0."""
        return dict.fromkeys(tps, 0)

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        """And end at 1,000."""
        return dict.fromkeys(tps, 1000)

    async def committed(self, tps: set[TP]) -> dict[TP, int]:
        """Kafka was never told anything."""
        return dict.fromkeys(tps, 0)

    async def begin(self, places: Mapping[TP, Place]) -> None:
        """New chains."""
        self.places.update(places)

    def read(self, tp: TP, end: int) -> PartitionBatch:
        """What is read next."""
        start, generation, _ = self.places[tp]
        self.places[tp] = Place(end, generation)
        return PartitionBatch(tp, Interval(start, end, ()), generation)


@dataclass
class Bench:
    """A consumer whose shards stand at `fences`."""

    consumer: BatchConsumer
    thread: FakeThread
    fences: dict[TP, int | Exception] = field(default_factory=lambda: {USAGE: 100, OTHER: 100})
    taken: list[PartitionBatch] = field(default_factory=list)

    async def open_fold(self, tp: TP, bounds: LogBounds) -> Standing:
        """The fence, or what goes wrong on the way to it (once)."""
        fence = self.fences[tp]
        if isinstance(fence, Exception):
            self.fences[tp] = 100
            raise fence
        return Standing(fence)

    async def sink(self, batch: PartitionBatch) -> None:
        """Takes a batch."""
        self.taken.append(batch)

    def current(self) -> list[tuple[int, int]]:
        """The intervals that a fold would still see."""
        return [(b.interval.start, b.interval.end) for b in self.taken if self.consumer.is_current(b)]

    async def resynced(self) -> None:
        """Waits until every position was found again."""

        async def done() -> bool:
            return not self.consumer._resyncing

        await eventually_async(done)


@pytest.fixture
async def bench() -> Bench:
    """A consumer that has just been assigned two partitions."""
    app = create_app(AggregatorSettings(), Liveness(), AggregatorMetrics(CollectorRegistry()))

    async def ignore(*_: Iterable[TP]) -> None:
        """What Faust would do."""

    consumer = app.transport.create_consumer(ignore, on_partitions_revoked=ignore, on_partitions_assigned=ignore)
    thread = FakeThread()
    consumer._thread = thread
    bench = Bench(consumer, thread)
    app.transport.sink, app.transport.open_fold = bench.sink, bench.open_fold
    await consumer.seek_to_committed()
    return bench


async def test_batches_follow_from_the_fence(bench: Bench) -> None:
    """One chain per partition."""
    for end in (110, 111, 150):
        await bench.consumer._hand_over(bench.thread.read(USAGE, end))

    assert bench.current() == [(100, 110), (110, 111), (111, 150)]


async def test_a_batch_read_before_a_seek_does_not_pass_for_one_read_after_it(bench: Bench) -> None:
    """Even if it begins where the shard stands: the client reads that again, and the chain would break for ever."""
    await bench.consumer._hand_over(bench.thread.read(USAGE, 110))
    on_its_way = bench.thread.read(USAGE, 120)
    bench.fences[USAGE] = 110  # the first batch was applied; its reply was lost

    bench.consumer.resync(USAGE, "no reply")
    await bench.resynced()
    await bench.consumer._hand_over(on_its_way)
    for end in (125, 130):
        await bench.consumer._hand_over(bench.thread.read(USAGE, end))

    assert bench.current() == [(110, 125), (125, 130)]


async def test_a_seek_voids_what_was_read_of_its_partition_alone(bench: Bench) -> None:
    """The other one goes on."""
    for tp in (USAGE, OTHER):
        await bench.consumer._hand_over(bench.thread.read(tp, 110))

    bench.consumer.resync(USAGE, "gap")
    await bench.resynced()

    assert [bench.consumer.is_current(batch) for batch in bench.taken] == [False, True]


async def test_nothing_is_folded_while_a_position_is_found(bench: Bench, monkeypatch) -> None:
    """A batch of the older chain would move what the fold remembers on, past where the new chain begins."""
    await bench.consumer._hand_over(bench.thread.read(USAGE, 110))
    meanwhile = []

    async def open_fold(tp: TP, bounds: LogBounds) -> Standing:
        meanwhile.append(bench.current())
        return await bench.open_fold(tp, bounds)

    monkeypatch.setattr(bench.consumer.transport, "open_fold", open_fold)
    await bench.consumer.seek_to_committed()

    assert meanwhile == [[], []]


async def test_a_position_is_asked_for_until_the_shard_answers(bench: Bench) -> None:
    """And only once at a time, however often it is wanted."""
    bench.fences[USAGE] = RedisError("away")

    bench.consumer.resync(USAGE, "first")
    bench.consumer.resync(USAGE, "second")
    await bench.resynced()

    assert bench.thread.places[USAGE].offset == 100
    assert bench.consumer.applied[USAGE] == 100


async def test_positions_that_are_lost_together_are_found_together(bench: Bench, monkeypatch) -> None:
    """In one go; a shard that does not answer holds up nobody else."""
    asked: list[set[TP]] = []
    bounds = bench.consumer.bounds

    async def counted(tps: set[TP]) -> dict[TP, LogBounds]:
        asked.append(tps)
        return await bounds(tps)

    monkeypatch.setattr(bench.consumer, "bounds", counted)
    for tp in (USAGE, OTHER):
        bench.consumer.resync(tp, "flushed")
    await bench.resynced()
    assert asked == [{USAGE, OTHER}]

    asked.clear()
    bench.fences[OTHER] = ShardClearingError(1)
    for tp in (USAGE, OTHER):
        bench.consumer.resync(tp, "flushed")
    await bench.resynced()
    assert sorted(asked[1:], key=str) == [{USAGE}, {OTHER}]
    assert {tp: place.offset for tp, place in bench.thread.places.items()} == {USAGE: 100, OTHER: 100}


async def test_a_position_that_was_revoked_while_it_was_found_begins_no_chain(bench: Bench, monkeypatch) -> None:
    """The shard is somebody else's by then, though the assignment does not say so before the rebalance has ended."""
    before = dict(bench.thread.places)

    async def open_fold(tp: TP, bounds: LogBounds) -> Standing:
        if tp == USAGE:
            await bench.consumer.on_partitions_revoked({USAGE})
        return Standing(200)

    monkeypatch.setattr(bench.consumer.transport, "open_fold", open_fold)
    bench.consumer.resync(USAGE, "gap")
    bench.consumer.resync(OTHER, "gap")
    await bench.resynced()

    assert bench.thread.places[USAGE] == before[USAGE]
    assert bench.thread.places[OTHER].offset == 200


async def test_what_a_fence_has_refused_is_void_whoever_holds_the_partition(bench: Bench) -> None:
    """Or a later batch of the chain might begin where the shard stands by then, and meet an older state's memory."""
    await bench.consumer._hand_over(bench.thread.read(USAGE, 110))
    bench.thread.held = {OTHER}

    bench.consumer.resync(USAGE, "gap")
    await bench.consumer._hand_over(bench.thread.read(USAGE, 120))

    assert not bench.current()


async def test_a_partition_that_was_lost_is_not_looked_for(bench: Bench) -> None:
    """Its new owner does that."""
    bench.thread.held = {OTHER}
    before = dict(bench.thread.places)

    bench.consumer.resync(USAGE, "gap")
    await bench.resynced()

    assert bench.thread.places == before


async def test_a_rebalance_voids_everything(bench: Bench) -> None:
    """What is queued belongs to whoever owns the partition next."""
    for tp in (USAGE, OTHER):
        await bench.consumer._hand_over(bench.thread.read(tp, 110))

    await bench.consumer.on_partitions_revoked({USAGE, OTHER})

    assert not bench.current()
    assert not bench.consumer.applied


async def test_applied_batches_are_remembered_if_they_are_still_current(bench: Bench) -> None:
    """A batch that was voided while it was folded says nothing about the position."""
    await bench.consumer._hand_over(bench.thread.read(USAGE, 110))
    (batch,) = bench.taken
    bench.consumer.begin()
    bench.consumer.finish(batch, applied=True)
    assert bench.consumer.applied[USAGE] == 110

    bench.consumer.resync(USAGE, "flushed")
    await bench.resynced()
    bench.consumer.begin()
    bench.consumer.finish(batch, applied=True)

    assert bench.consumer.applied[USAGE] == 100


async def test_a_rebalance_waits_for_folds_in_flight(bench: Bench, monkeypatch) -> None:
    """Within bounds: the fence judges what is left."""
    committed = []

    async def commit() -> bool:
        committed.append(bench.consumer._in_flight)
        return True

    monkeypatch.setattr(bench.consumer, "commit", commit)
    await bench.consumer._hand_over(bench.thread.read(USAGE, 110))
    bench.consumer.begin()
    waiting = asyncio.create_task(bench.consumer.wait_empty())
    await asyncio.sleep(0)
    assert not waiting.done()
    bench.consumer.finish(bench.taken[0], applied=True)
    await waiting

    assert committed == [0]


@pytest.mark.parametrize("error", [RedisError("away"), KafkaConnectionError("away"), ShardClearingError(0)], ids=repr)
async def test_a_rebalance_while_a_server_is_away_is_no_end(bench: Bench, error) -> None:
    """What can't be found at once is looked for on and on, as for a position that was lost."""
    bench.fences[USAGE] = error

    assert await bench.consumer.seek_to_committed() == {}
    await bench.resynced()

    assert bench.consumer.applied == {USAGE: 100, OTHER: 100}


async def test_a_rebalance_does_not_wait_for_a_position_longer_than_faust_does(bench: Bench, monkeypatch) -> None:
    """A partition without a leader, or a Redis that hangs: Faust would leave its recovery and never seek again."""
    monkeypatch.setattr(aggregator.consumer, "SEEK_SECONDS", 0.05)
    answers = asyncio.Event()

    async def open_fold(tp: TP, bounds: LogBounds) -> Standing:
        await answers.wait()
        return Standing(100)

    monkeypatch.setattr(bench.consumer.transport, "open_fold", open_fold)
    bench.consumer.applied.clear()

    assert await bench.consumer.seek_to_committed() == {}
    answers.set()
    await bench.resynced()

    assert bench.consumer.applied == {USAGE: 100, OTHER: 100}


async def test_a_rebalance_where_only_a_person_can_help_is_the_end(bench: Bench, monkeypatch) -> None:
    """It is not tried for a minute."""
    crashed: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashed.append(error)

    monkeypatch.setattr(bench.consumer.app, "crash", crash)
    error = AuthenticationError("wrong password")

    async def open_fold(tp: TP, bounds: LogBounds) -> Standing:
        if tp == USAGE:
            raise error
        return Standing(100)

    monkeypatch.setattr(bench.consumer.transport, "open_fold", open_fold)
    await bench.consumer.seek_to_committed()
    await bench.resynced()

    assert crashed == [error]


FOLDED = Record(97, b"folded", 1000, b"key")
NEXT = Record(100, b"next", 1001, b"key")
PLACE = Place(100, 1, mark_of(FOLDED))  # 98 and 99 were control records


@pytest.fixture
def thread(bench: Bench) -> BatchThread:
    """The client's thread, not started, which has just looked back to the last record that was folded."""
    thread = bench.consumer._new_consumer_thread()
    thread._unsure |= {USAGE, TABLE}
    return thread


@pytest.mark.parametrize(("records", "end"), [([FOLDED], 98), ([FOLDED, NEXT], 101), ([FOLDED], 100)])
def test_a_chain_begins_with_the_record_before_it(thread: BatchThread, records, end) -> None:
    """However much comes in the first read: it is compared, and not folded again."""
    assert thread._compared(USAGE, PLACE, records, end) == [record for record in records if record is NEXT]
    assert thread._compared(USAGE, PLACE, [NEXT], 101) == [NEXT]


def test_what_was_not_read_yet_is_not_compared_yet(thread: BatchThread) -> None:
    """A read that gave nothing says nothing."""
    for end in (None, 97):
        assert thread._compared(USAGE, PLACE, (), end) == ()
    with pytest.raises(LogLostError):
        thread._compared(USAGE, PLACE, [NEXT], 101)


def test_compaction_may_have_removed_what_a_chain_would_begin_with(thread: BatchThread) -> None:
    """Of a table's log, and of that alone."""
    assert thread._compared(TABLE, PLACE, [NEXT], 101) == [NEXT]
    with pytest.raises(LogLostError, match="no record at offset 97"):
        thread._compared(USAGE, PLACE, [NEXT], 101)


def test_a_seek_gives_back_what_was_fetched_ahead(thread: BatchThread, monkeypatch) -> None:
    """At once: it is megabytes, garbage is collected seldom, and aiokafka keeps it in a cycle."""
    fetched = [PartitionRecords(USAGE, MemoryRecords(b""), [], 100, None, None, True, 1)]
    gone = weakref.ref(fetched[0])
    client = SimpleNamespace(assignment=lambda: {USAGE}, seek=lambda _tp, _offset: fetched.clear())
    monkeypatch.setattr(thread, "_ensure_consumer", lambda: client)
    thread._chain[USAGE] = PLACE
    gc.disable()
    try:
        thread._look_back_everywhere()
    finally:
        gc.enable()

    assert gone() is None


async def test_a_position_outside_of_the_log_is_found_again(bench: Bench) -> None:
    """Where the log begins and ends now decides what it means: the record of the mark may just have expired."""
    thread = bench.consumer._new_consumer_thread()
    thread.parent_loop = asyncio.get_running_loop()
    generation = bench.thread.places[USAGE].generation

    thread._report_outside({USAGE: 97})

    async def found_again() -> bool:
        return bench.thread.places[USAGE].generation > generation

    await eventually_async(found_again)
