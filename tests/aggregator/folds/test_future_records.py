"""Records that were appended later than it is now: one of two clocks is wrong, and the shard waits for a person."""

import pytest
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.shard import Shard
from ledger.state import Log, read_state
from metering.append_time import MAX_AHEAD_MS
from metering.counting import Interval
from metering.stop import ShardStoppedError, StopReason
from tests.aggregator.conftest import HOME, make_usage_fold
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.ledger.stored import stored
from tests.metering.events import NOON_MS, Record, event


async def test_a_record_from_the_future_stops_its_shard_before_it(
    shard: Shard, publisher: MemoryPublisher, client: Redis
) -> None:
    """Stamped 60 days ahead by a broker, it would make what follows too old to count; nothing of it is written."""
    future_ms = NOON_MS + 60 * 86_400_000
    records = [
        Record(0, event(id="1")),
        Record(1, b"garbage"),
        Record(2, event(id="2"), future_ms),
        Record(3, event(id="3")),
    ]
    clock = [NOON_MS]
    fold = make_usage_fold(shard, publisher, now_ms=lambda: clock[0])
    await fold.open(0)

    with pytest.raises(ShardStoppedError, match=rf"usage-{HOME}: the record at offset 2 was appended") as stop:
        await fold.apply(Interval(0, 4, records))
    assert (stop.value.reason, stop.value.offset, stop.value.end) == (StopReason.APPENDED_AHEAD, 2, 3)
    assert (await read_state(shard)).fences[Log.USAGE] == 2
    assert sum((await stored(client, shard)).hours.values()) == 1
    assert [dict(letter.headers)["dlq.offset"] for letter in publisher.published] == [b"1"]
    with pytest.raises(ShardStoppedError):
        await fold.apply(Interval(2, 4, records[2:]))

    clock[0] = future_ms - MAX_AHEAD_MS
    assert (await fold.apply(Interval(2, 4, records[2:]))).fence == 4


async def test_a_clock_that_was_set_back_stops_nothing_that_is_not_ahead_of_it(
    shard: Shard, publisher: MemoryPublisher
) -> None:
    """What was counted before it was set back stays the highest append time."""
    clock = [NOON_MS]
    fold = make_usage_fold(shard, publisher, now_ms=lambda: clock[0])
    await fold.open(0)
    await fold.apply(Interval(0, 1, [Record(0, event(id="1"))]))

    clock[0] = NOON_MS - 2 * MAX_AHEAD_MS
    assert (await fold.apply(Interval(1, 2, [Record(1, event(id="2"), clock[0])]))).applied


async def test_a_shard_that_lost_its_state_before_it_says_so(
    shard: Shard, publisher: MemoryPublisher, client: Redis
) -> None:
    """First its position must be found again: who stops waits longer."""
    fold = make_usage_fold(shard, publisher, now_ms=lambda: NOON_MS)
    await fold.open(0)
    await client.delete(shard.keys.fences)

    answer = await fold.apply(Interval(0, 2, [Record(0, event()), Record(1, event(), NOON_MS + 2 * MAX_AHEAD_MS)]))

    assert answer.verdict is Verdict.EMPTY
