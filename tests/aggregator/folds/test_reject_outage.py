"""An outage of rejects stops a shard's count instead of draining its log into the dead letters."""

import pytest

from aggregator.folds.usage import UsageFold
from ledger.shard import Shard
from ledger.state import Log, read_state
from ledger.stops import order_drain
from metering.counting import Interval
from metering.outage import WINDOW_RECORDS, Drain
from metering.stop import ShardStoppedError, StopReason
from tests.aggregator.conftest import make_usage_fold
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.metering.events import Record, event

HALF = WINDOW_RECORDS // 2
SOURCES = ("/sms", "/voice")


def rejects(start: int, records: int = HALF, sources: tuple[str, ...] = SOURCES) -> Interval:
    """Records that no one can count, of these sources in turn."""
    values = [event(source=source, type="fax") for source in sources]
    return Interval(start, start + records, [Record(start + n, values[n % len(values)]) for n in range(records)])


def make_fold(shard: Shard, publisher: MemoryPublisher) -> UsageFold:
    """A fold as a process that has just started has it."""
    return make_usage_fold(shard, publisher)


async def stopped(fold: UsageFold, interval: Interval) -> ShardStoppedError:
    """How the fold refuses an interval."""
    with pytest.raises(ShardStoppedError) as error:
        await fold.apply(interval)
    return error.value


async def test_a_full_window_of_rejects_stops_before_it_is_written(shard: Shard, publisher: MemoryPublisher) -> None:
    """The error says where, why and who; neither fence nor dead letters have moved past what was judged before."""
    fold = make_fold(shard, publisher)
    await fold.open(0)
    await fold.apply(rejects(0))

    stop = await stopped(fold, rejects(HALF))

    assert (stop.reason, stop.offset) == (StopReason.REJECTS, HALF)
    for said in (f"usage-{shard.number}", "'/sms'", "'/voice'", "unknown_meter", f"billing drain {shard.number}"):
        assert said in str(stop)
    assert (await read_state(shard)).fences[Log.USAGE] == HALF
    assert len(publisher.published) == HALF


@pytest.mark.parametrize("source", [b"x", event(source="/sms-v2", type="fax")], ids=["rubbish", "a bad deploy"])
async def test_what_one_source_sends_drains_and_nobody_waits(shard: Shard, publisher: MemoryPublisher, source) -> None:
    """However much: it becomes dead letters, and the events of others behind it are counted."""
    fold = make_fold(shard, publisher)
    await fold.open(0)
    for start in range(0, 3 * WINDOW_RECORDS, HALF):
        records = [Record(start + n, source) for n in range(HALF)]
        assert (await fold.apply(Interval(start, start + HALF, records))).applied
    await fold.apply(Interval(3 * WINDOW_RECORDS, 3 * WINDOW_RECORDS + 1, [Record(3 * WINDOW_RECORDS, event())]))

    assert (await read_state(shard)).conservation.counted == 1
    assert len(publisher.published) == 3 * WINDOW_RECORDS


async def test_a_restart_does_not_begin_to_drain_again(shard: Shard, publisher: MemoryPublisher) -> None:
    """The window lives beside the fence."""
    await (first := make_fold(shard, publisher)).open(0)
    await first.apply(rejects(0))
    await (second := make_fold(shard, publisher)).open(0)

    await stopped(second, rejects(HALF))


async def test_good_records_keep_it_going(shard: Shard, publisher: MemoryPublisher) -> None:
    """One record in ten that can be counted is no outage."""
    fold = make_fold(shard, publisher)
    await fold.open(0)
    for start in range(0, 3 * WINDOW_RECORDS, HALF):
        interval = rejects(start)
        records = [Record(r.offset, event(id=str(r.offset))) if r.offset % 10 == 0 else r for r in interval.records]
        assert (await fold.apply(Interval(start, start + HALF, records))).applied


async def test_a_refold_does_not_count(shard: Shard, publisher: MemoryPublisher) -> None:
    """What was folded before the state was lost has been judged already; what comes after it is judged."""
    fold = make_fold(shard, publisher)
    await fold.open(0, folded_before=2 * WINDOW_RECORDS)
    for start in range(0, 2 * WINDOW_RECORDS, HALF):
        assert (await fold.apply(rejects(start))).applied
    await fold.apply(rejects(2 * WINDOW_RECORDS))

    await stopped(fold, rejects(2 * WINDOW_RECORDS + HALF))


async def test_a_person_can_let_it_drain_up_to_an_offset(shard: Shard, publisher: MemoryPublisher) -> None:
    """Of this shard, and no further: what comes behind it is judged again, though nobody takes the order back."""
    fold = make_fold(shard, publisher)
    await fold.open(0)
    await fold.apply(rejects(0))
    await stopped(fold, rejects(HALF))

    assert not await order_drain(shard, HALF + 1, Drain(2 * WINDOW_RECORDS, "ops", "late"))
    assert await order_drain(shard, HALF, Drain(2 * WINDOW_RECORDS, "ops", "two services were deployed"))
    await fold.open(0)
    for start in range(HALF, 2 * WINDOW_RECORDS, HALF):
        assert (await fold.apply(rejects(start))).applied

    await fold.open(0)
    await fold.apply(rejects(2 * WINDOW_RECORDS))
    await stopped(fold, rejects(2 * WINDOW_RECORDS + HALF))
