"""The dispatcher: each batch has one fate, each partition its order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from aiokafka.errors import KafkaTimeoutError
from faust.types import TP
from redis.asyncio import Redis
from redis.exceptions import RedisError

from aggregator.dispatch import CONCURRENT_FOLDS, Dispatcher
from aggregator.fetch_thread import PartitionBatch
from aggregator.fold import Standing
from aggregator.positions import LogBounds
from aggregator.usage_fold import UsageFold, UsageTopics
from ledger.answer import Answer, Verdict
from ledger.shard import Shard
from ledger.state import read_state
from metering.counting import Interval
from metering.dedupe import BLOCK_MS
from metering.rfc3339 import from_unix
from tests.aggregator.conftest import HOME, PARTITIONS
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.unreliable import UnreliableStore
from tests.ledger.stored import stored
from tests.metering.events import NOON_MS, Record, event
from tests.support.eventually import eventually_async

USAGE = TP("usage", HOME)
OTHER = TP("usage", HOME + 1)
BOUNDS = LogBounds(0, 10**6)


@dataclass
class Places:
    """What the consumer is told, and the generation of each partition."""

    generation: dict[TP, int] = field(default_factory=dict)
    finished: list[tuple[TP, int, bool]] = field(default_factory=list)
    resynced: list[tuple[TP, str]] = field(default_factory=list)
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

    def resync(self, tp: TP, reason: str) -> None:
        """Voids what was read."""
        self.generation[tp] = self.generation.get(tp, 0) + 1
        self.resynced.append((tp, reason))


@dataclass
class ScriptedFold:
    """A fold that answers when it is let."""

    answers: list[Answer | Exception] = field(default_factory=list)
    applied: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, earliest: int, folded_before: int = 0) -> Standing:
        """Begins at the earliest offset."""
        return Standing(earliest)

    async def apply(self, interval: Interval) -> Answer:
        """The next answer; without one, that it was applied."""
        await self.gate.wait()
        self.applied.append(interval.start)
        answer = self.answers.pop(0) if self.answers else Answer(Verdict.APPLIED, interval.end)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Bench:
    """A dispatcher, what it tells, and what it was stopped by."""

    places: Places = field(default_factory=Places)
    folds: dict[TP, ScriptedFold] = field(default_factory=dict)
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
    start: int, end: int, tp: TP = USAGE, generation: int = 0, records: tuple[Record, ...] = ()
) -> PartitionBatch:
    """A batch without records, unless there are some."""
    return PartitionBatch(tp, Interval(start, end, records), generation)


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
    tps = [TP("usage", n) for n in range(CONCURRENT_FOLDS + 1)]
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

    def usage_fold(tp: TP) -> UsageFold:
        return UsageFold(shard, UsageTopics("usage", "dead"), PARTITIONS, publisher, lambda: "one")

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

    def make_fold(tp: TP) -> ScriptedFold:
        made.append(ScriptedFold())
        return made[-1]

    dispatcher = bench.dispatcher(make_fold)
    assert await dispatcher.open(USAGE, replace(BOUNDS, earliest=7)) == Standing(7)
    await dispatcher.open(USAGE, BOUNDS)
    made[1].gate.set()
    await dispatcher.take(batch(0, 1))
    await bench.settled(1)

    assert (made[0].applied, made[1].applied) == ([], [0])
