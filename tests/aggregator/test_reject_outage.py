"""An outage of rejects stops the count instead of draining the log into the dead letters."""

import pytest

from aggregator.usage_fold import UsageFold, UsageTopics
from ledger.shard import Shard
from ledger.state import Log, read_state
from metering.counting import Interval
from metering.outage import STOP_RATIO, WINDOW_RECORDS, RejectOutageError
from tests.aggregator.conftest import PARTITIONS
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.metering.events import Record, event

HALF = WINDOW_RECORDS // 2


def rubbish(start: int, records: int = HALF) -> Interval:
    """Records that no one can count."""
    return Interval(start, start + records, [Record(start + n, b"{") for n in range(records)])


def make_fold(shard: Shard, publisher: MemoryPublisher, stop_ratio: float = STOP_RATIO) -> UsageFold:
    """A fold as a process that has just started has it."""
    return UsageFold(shard, UsageTopics("usage", "dead"), PARTITIONS, publisher, lambda: "one", stop_ratio)


async def test_a_full_window_of_rejects_stops_before_it_is_written(shard: Shard, publisher: MemoryPublisher) -> None:
    """The error says where and why; neither fence nor dead letters have moved past what was judged before."""
    fold = make_fold(shard, publisher)
    await fold.open(0)
    await fold.apply(rubbish(0))

    with pytest.raises(RejectOutageError, match=r"invalid_json.*BILLING_REJECT_STOP_RATIO=1"):
        await fold.apply(rubbish(HALF))

    assert (await read_state(shard)).fences[Log.USAGE] == HALF
    assert len(publisher.published) == HALF


async def test_a_restart_does_not_begin_to_drain_again(shard: Shard, publisher: MemoryPublisher) -> None:
    """The window lives beside the fence."""
    await (first := make_fold(shard, publisher)).open(0)
    await first.apply(rubbish(0))
    await (second := make_fold(shard, publisher)).open(0)

    with pytest.raises(RejectOutageError):
        await second.apply(rubbish(HALF))


async def test_good_records_keep_it_going(shard: Shard, publisher: MemoryPublisher) -> None:
    """One record in ten that can be counted is no outage."""
    fold = make_fold(shard, publisher)
    await fold.open(0)
    for start in range(0, 3 * WINDOW_RECORDS, HALF):
        records = [Record(start + n, event(id=f"{start + n}") if n % 10 == 0 else b"{") for n in range(HALF)]
        assert (await fold.apply(Interval(start, start + HALF, records))).applied


async def test_a_refold_does_not_count(shard: Shard, publisher: MemoryPublisher) -> None:
    """What was folded before the state was lost has been judged already; what comes after it is judged."""
    fold = make_fold(shard, publisher)
    await fold.open(0, folded_before=2 * WINDOW_RECORDS)
    for start in range(0, 2 * WINDOW_RECORDS, HALF):
        assert (await fold.apply(rubbish(start))).applied
    await fold.apply(rubbish(2 * WINDOW_RECORDS))

    with pytest.raises(RejectOutageError):
        await fold.apply(rubbish(2 * WINDOW_RECORDS + HALF))


async def test_an_operator_can_let_it_drain(shard: Shard, publisher: MemoryPublisher) -> None:
    """With a stop ratio of 1 everything goes to the dead letters."""
    fold = make_fold(shard, publisher, stop_ratio=1)
    await fold.open(0)
    for start in range(0, 2 * WINDOW_RECORDS, HALF):
        assert (await fold.apply(rubbish(start))).applied
