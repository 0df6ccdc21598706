"""The dispatcher: each batch has one fate, each partition its order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from aggregator.dispatch import CONCURRENT_FOLDS, Dispatcher
from aggregator.folds.fold import FoldStanding
from aggregator.folds.usage import UsageFold
from aggregator.log_check import LogBounds
from aggregator.partition_batch import PartitionBatch
from ledger.answer import Answer, Verdict
from ledger.shard import Shard
from ledger.state import read_state
from metering.counting import Interval
from metering.dedupe import BLOCK_MS
from metering.rfc3339 import from_unix
from metering.stop import ShardStoppedError, StopReason
from tests.aggregator.conftest import HOME, make_usage_fold
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.unreliable import UnreliableStore
from tests.ledger.stored import stored
from tests.metering.events import NOON_MS, Record, event
from tests.support.eventually import eventually_async

USAGE = TopicPartition("usage", HOME)
OTHER = TopicPartition("usage", HOME + 1)
BOUNDS = LogBounds(0, 10**6)


@dataclass
class Places:
    """What the consumer is told, and the generation of each partition."""

    generation: dict[TopicPartition, int] = field(default_factory=dict)
    finished: list[tuple[TopicPartition, int, bool]] = field(default_factory=list)
    resynced: list[tuple[TopicPartition, str]] = field(default_factory=list)
    stopped: list[tuple[TopicPartition, ShardStoppedError]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def is_current(self, batch: PartitionBatch) -> bool:
        """Whether nothing has voided the batch."""
        return self.generation.get(batch.tp, 0) == batch.generation

    def begin(self) -> None:
        """A fold begins."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def finish(self, batch: PartitionBatch, *, applied: bool) -> None:
        """A fold ends."""
        self.in_flight -= 1
        self.finished.append((batch.tp, batch.interval.end, applied))

    def resync(self, tp: TopicPartition, reason: str) -> None:
        """Voids what was read."""
        self.generation[tp] = self.generation.get(tp, 0) + 1
        self.resynced.append((tp, reason))

    def stop_log(self, tp: TopicPartition, error: ShardStoppedError) -> None:
        """Voids what was read, and waits."""
        self.generation[tp] = self.generation.get(tp, 0) + 1
        self.stopped.append((tp, error))


@dataclass
class ScriptedFold:
    """A fold that answers when it is let."""

    answers: list[Answer | Exception] = field(default_factory=list)
    applied: list[int] = field(default_factory=list)
    passed: list[tuple[int, int | None]] = field(default_factory=list)
    ordered: Answer | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, earliest: int, folded_before: int = 0) -> FoldStanding:
        """Begins at the earliest offset."""
        return FoldStanding(earliest)

    async def apply(self, interval: Interval) -> Answer:
        """The next answer; without one, that it was applied."""
        await self.gate.wait()
        self.applied.append(interval.start)
        answer = self.answers.pop(0) if self.answers else Answer(Verdict.APPLIED, interval.end)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def pass_unread(self, at: int, end: int | None) -> Answer | None:
        """What a person has ordered."""
        self.passed.append((at, end))
        return self.ordered


@dataclass
class Bench:
    """A dispatcher, what it tells, and what it was stopped by."""

    places: Places = field(default_factory=Places)
    folds: dict[TopicPartition, ScriptedFold] = field(default_factory=dict)
    stopped: list[BaseException] = field(default_factory=list)
    seconds: float = 0.0

    def dispatcher(self, make_fold: Callable | None = None) -> Dispatcher:
        """Wires them."""
        made = make_fold or (lambda tp: self.folds.setdefault(tp, ScriptedFold()))
        return Dispatcher(made, lambda: self.places, self.stopped.append, monotonic=lambda: self.seconds)

    async def settled(self, batches: int) -> None:
        """Waits until so many folds have ended, or one has stopped the process."""

        async def ended() -> bool:
            return len(self.places.finished) >= batches or bool(self.stopped)

        await eventually_async(ended)


def batch(
    start: int,
    end: int,
    tp: TopicPartition = USAGE,
    generation: int = 0,
    records: tuple[Record, ...] = (),
    fault: ShardStoppedError | None = None,
) -> PartitionBatch:
    """A batch without records, unless there are some."""
    return PartitionBatch(tp, Interval(start, end, records), generation, fault)


async def ready_bench(*answers: Answer | Exception) -> tuple[Bench, Dispatcher]:
    """A bench whose usage fold is open and gives these answers at once."""
    bench = Bench()
    dispatcher = bench.dispatcher()
    await dispatcher.open(USAGE, BOUNDS)
    bench.folds[USAGE].answers = list(answers)
    bench.folds[USAGE].gate.set()
    return bench, dispatcher


async def test_batches_of_a_partition_are_folded_in_order() -> None:
    """Though several are taken at once."""
    bench, dispatcher = await ready_bench()
    for start in range(20):
        await dispatcher.take(batch(start, start + 1))
    await bench.settled(20)

    assert bench.folds[USAGE].applied == list(range(20))
    assert all(applied for _, _, applied in bench.places.finished)
    assert not bench.places.resynced


async def test_two_partitions_are_folded_at_a_time() -> None:
    """One is decided while the other is in Redis; who brings a third waits."""
    bench = Bench()
    dispatcher = bench.dispatcher()
    tps = [TopicPartition("usage", n) for n in range(CONCURRENT_FOLDS + 1)]
    for tp in tps:
        await dispatcher.open(tp, BOUNDS)
    for tp in tps[:-1]:
        await dispatcher.take(batch(0, 1, tp))
    third = asyncio.create_task(dispatcher.take(batch(0, 1, tps[-1])))

    async def busy() -> bool:
        return bench.places.in_flight == CONCURRENT_FOLDS

    await eventually_async(busy)
    assert not third.done()
    for tp in tps:
        bench.folds[tp].gate.set()
    await third
    await bench.settled(len(tps))
    assert bench.places.most_in_flight == CONCURRENT_FOLDS


@pytest.mark.parametrize(
    "answer",
    [
        Answer(Verdict.GAP, 3),
        Answer(Verdict.STALE, 40),
        Answer(Verdict.EMPTY, None),
        RedisError("gone"),
        KafkaTimeoutError("gone"),
        ConnectionResetError("gone"),
        TimeoutError("gone"),
    ],
    ids=str,
)
async def test_what_was_not_applied_is_read_again(answer) -> None:
    """The fence disagrees, or a server did not answer: the position is found again, and the batches behind are void."""
    bench, dispatcher = await ready_bench(answer)
    for start in (10, 20):
        await dispatcher.take(batch(start, start + 10))
    await bench.settled(1)
    await dispatcher.take(batch(30, 40, generation=1))
    await bench.settled(2)

    assert bench.folds[USAGE].applied == [10, 30]
    assert bench.places.finished == [(USAGE, 20, False), (USAGE, 40, True)]
    assert [tp for tp, _ in bench.places.resynced] == [USAGE]
    assert not bench.stopped


async def test_a_batch_that_was_counted_by_another_call_opens_the_shard_again(
    store: UnreliableStore, shard: Shard, publisher: MemoryPublisher, client: Redis
) -> None:
    """Its fence is right, but what the fold remembers is not: a block that it does not know it would not look up."""
    bench = Bench()

    def usage_fold(tp: TopicPartition) -> UsageFold:
        return make_usage_fold(shard, publisher)

    dispatcher = bench.dispatcher(usage_fold)
    await dispatcher.open(USAGE, BOUNDS)
    first = Record(0, event(id="1"), NOON_MS)
    later = NOON_MS + BLOCK_MS
    again = Record(1, event(id="1", time=from_unix(later // 1000)), later)
    await usage_fold(USAGE).apply(Interval(0, 1, [first]))  # a call of an earlier owner, late in taking effect

    await dispatcher.take(batch(0, 1, records=(first,)))
    await bench.settled(1)
    for _ in bench.places.resynced:
        assert (await dispatcher.open(USAGE, BOUNDS)).fence == 1
    await dispatcher.take(batch(1, 2, generation=len(bench.places.resynced), records=(again,)))
    await bench.settled(2)

    assert sum((await stored(client, shard)).hours.values()) == 1
    assert (await read_state(shard)).conservation.duplicate == 1


async def test_a_void_batch_is_dropped_silently() -> None:
    """A seek or a rebalance has overtaken it."""
    bench, dispatcher = await ready_bench()
    bench.places.generation[USAGE] = 5

    await dispatcher.take(batch(0, 1, generation=4))
    await dispatcher.take(batch(0, 1, generation=5))
    await bench.settled(1)

    assert bench.folds[USAGE].applied == [0]
    assert bench.places.finished == [(USAGE, 1, True)]


UNREADABLE = ShardStoppedError(StopReason.UNREADABLE_BATCH, 20, "usage-1 can't be read at 20", end=25)


async def test_a_fold_that_can_not_go_on_stops_its_log_and_no_other() -> None:
    """What is behind it is void; the other partitions are folded as ever, and so is the process."""
    stop = ShardStoppedError(StopReason.APPENDED_AHEAD, 12, "a clock is wrong")
    bench, dispatcher = await ready_bench(stop)
    await dispatcher.open(OTHER, BOUNDS)
    bench.folds[OTHER].gate.set()
    for tp in (USAGE, OTHER):
        for start in (10, 20):
            await dispatcher.take(batch(start, start + 10, tp))
    await bench.settled(3)

    assert bench.places.stopped == [(USAGE, stop)]
    assert (bench.folds[USAGE].applied, bench.folds[OTHER].applied) == ([10], [10, 20])
    assert not bench.places.resynced
    assert not bench.stopped


@pytest.mark.parametrize("start", [10, 20])
async def test_a_log_that_can_not_be_read_on_is_stopped_after_what_was_read(start) -> None:
    """Which is folded, all of it; the stop is where the shard stands then."""
    bench, dispatcher = await ready_bench()
    await dispatcher.take(batch(start, 20, fault=UNREADABLE))
    await bench.settled(1)

    assert bench.folds[USAGE].applied == [start]
    assert bench.places.finished == [(USAGE, 20, True)]
    ((tp, stop),) = bench.places.stopped
    assert (tp, stop.reason, stop.offset, stop.end, str(stop)) == (
        *(USAGE, UNREADABLE.reason, 20, 25),
        str(UNREADABLE),
    )


@pytest.mark.parametrize("answer", [Answer(Verdict.STALE, 40), RedisError("gone")], ids=str)
async def test_a_log_is_not_stopped_where_its_shard_does_not_stand(answer) -> None:
    """Somebody else may have gone on, or the state was lost: first the position is found again."""
    bench, dispatcher = await ready_bench(answer)
    await dispatcher.take(batch(20, 20, fault=UNREADABLE))
    await bench.settled(1)

    assert not bench.places.stopped
    assert [tp for tp, _ in bench.places.resynced] == [USAGE]


async def test_what_can_not_be_read_is_passed_by_if_a_person_has_ordered_it() -> None:
    """Then the log is read on from where the shard stands; nothing is stopped."""
    bench, dispatcher = await ready_bench()
    bench.folds[USAGE].ordered = Answer(Verdict.APPLIED, 25)
    await dispatcher.take(batch(10, 20, fault=UNREADABLE))
    await bench.settled(1)

    assert bench.folds[USAGE].passed == [(20, 25)]
    assert bench.places.finished == [(USAGE, 20, True)]
    assert [tp for tp, _ in bench.places.resynced] == [USAGE]
    assert not bench.places.stopped


async def test_a_lost_log_is_not_passed_by() -> None:
    """Whatever was ordered: what lies at that offset now is not what the order was about."""
    bench, dispatcher = await ready_bench()
    bench.folds[USAGE].ordered = Answer(Verdict.APPLIED, 25)
    await dispatcher.take(batch(20, 20, fault=ShardStoppedError(StopReason.LOG_LOST, 20, "it was truncated")))
    await bench.settled(1)

    assert not bench.folds[USAGE].passed
    assert [stop.reason for _, stop in bench.places.stopped] == [StopReason.LOG_LOST]


async def test_an_error_that_nobody_expects_stops_the_process() -> None:
    """It would only come again."""
    error = ZeroDivisionError()
    bench, dispatcher = await ready_bench(error)

    await dispatcher.take(batch(0, 1))
    await bench.settled(1)

    assert bench.stopped == [error]
    assert bench.places.finished == [(USAGE, 1, False)]


async def test_a_batch_that_fails_for_a_minute_stops_the_process() -> None:
    """A dead letter that is never taken, a script that always fails: a supervisor must see it."""
    last = RedisError("still")
    bench, dispatcher = await ready_bench(RedisError("first"), RedisError("again"), last)
    for generation, seconds in enumerate((0.0, 59.0, 61.0)):
        bench.seconds = seconds
        assert not bench.stopped
        await dispatcher.take(batch(0, 1, generation=generation))
        await bench.settled(generation + 1)

    await bench.settled(4)
    assert bench.stopped == [last]


async def test_a_batch_that_succeeds_in_between_starts_the_minute_anew() -> None:
    """What failed once an hour is no outage."""
    bench, dispatcher = await ready_bench(RedisError("1"), Answer(Verdict.APPLIED, 1), RedisError("2"))
    for number, seconds in enumerate((0.0, 30.0, 90.0)):
        bench.seconds = seconds
        await dispatcher.take(batch(0, 1, generation=bench.places.generation.get(USAGE, 0)))
        await bench.settled(number + 1)

    assert len(bench.places.resynced) == 2
    assert not bench.stopped


async def test_a_partition_that_is_opened_again_has_a_fresh_fold() -> None:
    """What the old one remembers may be wrong."""
    bench, made = Bench(), []

    def make_fold(tp: TopicPartition) -> ScriptedFold:
        made.append(ScriptedFold())
        return made[-1]

    dispatcher = bench.dispatcher(make_fold)
    assert await dispatcher.open(USAGE, replace(BOUNDS, earliest=7)) == FoldStanding(7)
    await dispatcher.open(USAGE, BOUNDS)
    made[1].gate.set()
    await dispatcher.take(batch(0, 1))
    await bench.settled(1)

    assert (made[0].applied, made[1].applied) == ([], [0])
