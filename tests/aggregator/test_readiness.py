"""The readiness loop: a shard is marked once all its logs are folded, and found out when Redis went back in time."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from aggregator.readiness import FOLDED_LOGS, ReadinessLoop
from ledger.due import list_due
from ledger.reading import is_ready
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from ledger.tables import TableBatch, fold_table
from metering.counting import Interval
from metering.retention import usage_closed_before
from metering.rfc3339 import from_unix
from metering.stop import ShardStoppedError, Stop, StopReason
from runtime.log_ends import LogEnd
from tests.aggregator.conftest import make_usage_fold
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.owned import Owned
from tests.aggregator.unreliable import UnreliableStore
from tests.metering.events import NOON, NOON_MS, Record, event

TABLES = (Log.ACCOUNTS, Log.API_KEYS)


@dataclass
class Bench:
    """A loop over one shard, on a clock of its own."""

    shard: Shard
    owned: Owned
    now_ms: int = 1000

    def __post_init__(self) -> None:
        self.loop = ReadinessLoop(self.owned, lambda number: self.shard, now_ms=lambda: self.now_ms)

    async def open(self, incarnation: str = "one") -> None:
        """Opens all logs at 0."""
        for log in FOLDED_LOGS:
            await open_shard(self.shard, log, earliest=0, incarnation=incarnation)

    async def fold(self, log: Log, end: int) -> None:
        """Folds a table's log."""
        at = (await read_state(self.shard)).fences[log]
        assert (await fold_table(self.shard, log, TableBatch(at, end, {}, None))).applied


@pytest.fixture
async def bench(shard: Shard) -> Bench:
    """An open shard with nothing to fold."""
    bench = Bench(shard, Owned(shard.number))
    await bench.open()
    return bench


async def test_a_shard_that_is_folded_to_all_ends_is_marked(bench: Bench) -> None:
    """At the first look; its freshness is the moment at which the ends were asked for."""
    assert await bench.loop.turn()

    assert await is_ready(bench.shard)
    assert (await read_state(bench.shard)).as_of_ms == 1000


async def test_a_shard_is_marked_when_it_reaches_the_ends_that_were_noted(bench: Bench) -> None:
    """Not those of today: a log that never stops growing would never be ready."""
    bench.owned.logs_end[Log.ACCOUNTS] = 5
    assert not await bench.loop.turn()
    bench.owned.logs_end[Log.ACCOUNTS] = 500
    bench.now_ms = 2000
    assert not await bench.loop.turn()

    await bench.fold(Log.ACCOUNTS, 5)

    assert await bench.loop.turn()
    assert (await read_state(bench.shard)).as_of_ms == 1000
    assert bench.owned.asked == 1


async def test_freshness_is_renewed_while_the_shard_keeps_up(bench: Bench) -> None:
    """Every turn asks for new ends; an idle account isn't stale."""
    for now_ms in (1000, 1500, 2000):
        bench.now_ms = now_ms
        assert await bench.loop.turn()
        assert (await read_state(bench.shard)).as_of_ms == now_ms


async def test_freshness_stops_while_the_shard_is_behind(bench: Bench) -> None:
    """But its readers go on: what they see is old, not smaller."""
    await bench.loop.turn()
    bench.owned.logs_end[Log.API_KEYS], bench.now_ms = 9, 5000

    assert not await bench.loop.turn()

    assert await is_ready(bench.shard)
    assert (await read_state(bench.shard)).as_of_ms == 1000


async def test_freshness_stands_still_while_a_transaction_is_open(bench: Bench) -> None:
    """Its readers go on; once it has ended, the shard is as of the moment whose end it has reached, then as of now."""
    await bench.loop.turn()
    bench.owned.logs_end[Log.ACCOUNTS], bench.owned.pinned[Log.ACCOUNTS] = 5, 0
    for bench.now_ms in (2000, 3000):
        assert await bench.loop.turn()
        assert await is_ready(bench.shard)
        assert (await read_state(bench.shard)).as_of_ms == 1000

    bench.owned.pinned.clear()
    await bench.fold(Log.ACCOUNTS, 5)

    for bench.now_ms, as_of_ms in ((4000, 2000), (5000, 5000)):
        assert await bench.loop.turn()
        assert (await read_state(bench.shard)).as_of_ms == as_of_ms


async def test_transactions_that_follow_one_another_hold_freshness_back_by_one_of_them(bench: Bench) -> None:
    """There is always one open; but each moment's end is reached when those of that moment have ended."""
    seen = []
    for turn in range(1, 5):
        bench.now_ms = turn * 1000
        bench.owned.logs_end[Log.ACCOUNTS], bench.owned.pinned[Log.ACCOUNTS] = 10 * turn, 10 * turn - 4
        await bench.fold(Log.ACCOUNTS, 10 * turn - 4)
        await bench.loop.turn()
        seen.append((await read_state(bench.shard)).as_of_ms)

    assert seen == [0, 1000, 1000, 3000]


async def test_a_shard_that_is_folded_anew_while_a_transaction_is_open_becomes_ready(
    bench: Bench, client: Redis
) -> None:
    """Nobody was shown what it lacks."""
    bench.owned.logs_end[Log.ACCOUNTS], bench.owned.pinned[Log.ACCOUNTS] = 5, 3
    assert not await bench.loop.turn()

    await bench.fold(Log.ACCOUNTS, 3)
    await client.hset(bench.shard.keys.fences, "high_ms", 700)

    assert await bench.loop.turn()
    assert await is_ready(bench.shard)
    assert (await read_state(bench.shard)).as_of_ms == 700


@pytest.mark.parametrize("ahead_days", [0, 36, 69])
async def test_a_shard_that_was_folded_from_a_cut_log_closes_what_is_old_by_the_log(
    shard: Shard, publisher: MemoryPublisher, ahead_days: int
) -> None:
    """A process whose clock is ahead closes no present: usage of a quiet partition, two hours old, is due."""
    now_ms = NOON_MS + ahead_days * 86_400_000
    bench = Bench(shard, Owned(shard.number, logs_end=dict.fromkeys(FOLDED_LOGS, 0) | {Log.USAGE: 1001}), now_ms)
    fold = make_usage_fold(shard, publisher, now_ms=lambda: now_ms)
    for log in TABLES:
        await open_shard(shard, log, earliest=0, incarnation="one")
    assert (await fold.open(1000)).fence == 1000
    assert (await fold.apply(Interval(1000, 1001, [Record(1000, event(time=from_unix(NOON - 7200)))]))).applied

    assert await bench.loop.turn()

    state, noon = await read_state(shard), NOON // 3600
    assert (state.begins_ms, state.high_ms) == (NOON_MS, NOON_MS)
    assert state.closed_before == usage_closed_before(NOON, NOON, now_ms // 1000) > 0
    due = await list_due(shard, 0, noon)
    assert due is not None
    assert due.hour == noon - 2


async def test_a_flush_starts_over_from_the_note(bench: Bench, client: Redis) -> None:
    """The positions are found again, and the mark is set only when the new incarnation has reached new ends."""
    await bench.fold(Log.ACCOUNTS, 3)
    bench.owned.known = {Log.USAGE: 0, Log.ACCOUNTS: 3, Log.API_KEYS: 0}
    bench.owned.logs_end[Log.ACCOUNTS] = 3
    assert await bench.loop.turn()

    await client.delete(bench.shard.keys.fences)
    assert not await bench.loop.turn()
    assert set(bench.owned.resynced) == set(FOLDED_LOGS)
    await bench.open("two")
    bench.owned.known = dict.fromkeys(FOLDED_LOGS, 0)
    assert not await bench.loop.turn()
    assert not await is_ready(bench.shard)
    await bench.fold(Log.ACCOUNTS, 3)

    assert await bench.loop.turn()
    assert await is_ready(bench.shard)


async def test_redis_going_back_while_a_log_is_idle_is_noticed(bench: Bench) -> None:
    """No batch would ever come to be refused: that log's position, and no other's, is found again."""
    await bench.fold(Log.ACCOUNTS, 3)
    bench.owned.known = {Log.USAGE: 0, Log.ACCOUNTS: 4, Log.API_KEYS: 0}
    bench.owned.logs_end[Log.ACCOUNTS] = 4

    assert not await bench.loop.turn()

    assert bench.owned.resynced == [Log.ACCOUNTS]


async def test_a_server_that_throws_keys_away_is_told_to_the_folds_once(bench: Bench, client: Redis) -> None:
    """To open the shard is to be told what is wrong: an idle log would never hear of it, a busy one again and again."""
    bench.owned.known = dict.fromkeys(FOLDED_LOGS, 0)
    assert await bench.loop.turn()
    await client.hset(bench.shard.keys.fences, "unsafe", "evicted")  # what the look at such a server leaves

    for _ in range(3):
        assert not await bench.loop.turn()

    assert bench.owned.resynced == list(FOLDED_LOGS)
    assert not await is_ready(bench.shard)
    with pytest.raises(ShardStoppedError, match="billing rebuild"):
        await bench.open("two")


async def test_a_shard_that_another_process_has_taken_is_left_alone(bench: Bench) -> None:
    """And noted anew when it comes back."""
    bench.owned.logs_end[Log.ACCOUNTS] = 5
    await bench.loop.turn()
    bench.owned.held = False
    assert await bench.loop.turn()
    bench.owned.held, bench.owned.logs_end[Log.ACCOUNTS] = True, 0

    assert await bench.loop.turn()
    assert bench.owned.asked == 3  # once without a shard


async def run_until(bench: Bench, store: UnreliableStore, script: str, turns: int) -> tuple[list[float], int]:
    """Runs the loop while a script fails `turns` times; how long it paused each time, and how often it beat."""
    pauses: list[float] = []
    beats: list[None] = []
    store.lose_call = script

    class DoneError(Exception):
        """Enough seen."""

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > turns:
            raise DoneError
        if len(pauses) < turns:
            store.lose_call = script

    loop = ReadinessLoop(bench.owned, lambda _: bench.shard, pause, lambda: 1, lambda: beats.append(None))
    with pytest.raises(DoneError):
        await loop.run((RedisError,), give_up_seconds=60)
    return pauses, len(beats)


async def test_the_loop_outlives_an_outage(bench: Bench, store: UnreliableStore) -> None:
    """It pauses, and goes on where it was; it beats only when something went well."""
    pauses, beats = await run_until(bench, store, "mark_ready", 3)

    assert await is_ready(bench.shard)
    assert all(seconds > 0 for seconds in pauses)
    assert beats == 1


async def test_the_loop_gives_up_after_a_while(bench: Bench, store: UnreliableStore) -> None:
    """A supervisor starts the process anew."""

    async def pause(seconds: float) -> None:
        store.lose_call = "note_server"

    store.lose_call = "note_server"
    loop = ReadinessLoop(bench.owned, lambda _: bench.shard, pause)
    with pytest.raises(RedisError):
        await loop.run((RedisError,), give_up_seconds=0.0)


async def test_a_process_without_shards_asks_kafka_all_the_same(bench: Bench) -> None:
    """Else one that has lost its shards because Kafka is away would seem well for ever."""
    bench.owned.held = False

    await bench.loop.turn()

    assert bench.owned.asked == 1


async def test_the_loop_gives_up_at_once_where_only_a_person_can_help(bench: Bench) -> None:
    """A password that was changed does not come back within a minute."""

    async def refuse(shards: set[int]) -> Mapping[int, Mapping[Log, LogEnd]]:
        raise TopicAuthorizationFailedError

    bench.owned.ends = refuse
    with pytest.raises(TopicAuthorizationFailedError):
        await bench.loop.run((KafkaError,), give_up_seconds=60)


STOP = Stop(StopReason.LOG_LOST, 0, None, "billing.accounts-1 was truncated", 1000)


async def test_a_stopped_shard_stays_as_it_was_marked_and_gets_older(bench: Bench) -> None:
    """Its readers are shown what is right as of then; the state says why, for as long as it is so."""
    await bench.loop.turn()
    bench.owned.stopped, bench.now_ms = {Log.ACCOUNTS: STOP}, 5000

    for _ in range(2):
        assert await bench.loop.turn()
        state = await read_state(bench.shard)
        assert await is_ready(bench.shard)
        assert (state.as_of_ms, state.stops) == (1000, {Log.ACCOUNTS: STOP})

    bench.owned.stopped = {}
    assert await bench.loop.turn()
    state = await read_state(bench.shard)
    assert (state.as_of_ms, state.stops) == (5000, {})


async def test_a_shard_that_is_stopped_before_it_was_ever_ready_is_not_marked(bench: Bench) -> None:
    """Though its fences have reached what is left of its logs."""
    bench.owned.stopped = {Log.ACCOUNTS: STOP}

    assert await bench.loop.turn()

    assert not await is_ready(bench.shard)


async def test_a_stop_that_was_lost_is_told_again(bench: Bench, client: Redis) -> None:
    """By a failover, say, to a replica that had not heard of it."""
    bench.owned.stopped, bench.owned.known = {Log.ACCOUNTS: STOP}, {Log.ACCOUNTS: 0}
    await bench.loop.turn()
    await client.hdel(bench.shard.keys.fences, "stop.accounts")

    await bench.loop.turn()

    assert (await read_state(bench.shard)).stops == {Log.ACCOUNTS: STOP}


async def test_a_stopped_shard_that_was_flushed_is_folded_anew(bench: Bench, client: Redis) -> None:
    """What stopped it lies ahead of it again: nothing is told of it, and its position is found again."""
    bench.owned.stopped, bench.owned.known = {Log.ACCOUNTS: STOP}, {Log.ACCOUNTS: 0}
    await bench.loop.turn()
    await client.delete(bench.shard.keys.fences)

    await bench.loop.turn()

    assert (await read_state(bench.shard)).stops == {}
    assert bench.owned.resynced == [Log.ACCOUNTS]
