"""The ready mark: readers see a shard only while nothing that they were shown before can be missing from it."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ledger.reading import is_ready
from ledger.ready import Note, Readiness, ReadyMark, mark_ready, note_server
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import Log, open_shard, read_state
from ledger.tables import TableBatch, fold_table
from local.servers.redis import RedisServer

FOLDED = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
ENDS = dict.fromkeys(FOLDED, 5)


async def opened(shard: Shard, fence: int = 5, incarnation: str = "one") -> None:
    """Opens all folded logs at a fence."""
    for log in FOLDED:
        await open_shard(shard, log, earliest=fence, incarnation=incarnation)


async def mark(shard: Shard, note: Note, ends: dict[Log, int] | None = None, as_of_ms: int = 1) -> Readiness:
    """Tries to set the mark for readers of usage."""
    return await mark_ready(shard, ReadyMark.USAGE, note, ends or ENDS, as_of_ms=as_of_ms)


async def test_a_shard_that_has_reached_every_end_becomes_ready(shard: Shard) -> None:
    """And was not before."""
    await opened(shard)
    assert not await is_ready(shard)

    assert await mark(shard, await note_server(shard)) is Readiness.READY

    assert await is_ready(shard)


@pytest.mark.parametrize("log", FOLDED)
async def test_a_shard_behind_in_any_log_is_not_ready(shard: Shard, log) -> None:
    """A total without its account's period, or a key that is not known yet, would be as wrong as a missing event."""
    await opened(shard)

    assert await mark(shard, await note_server(shard), ENDS | {log: 6}) is Readiness.BEHIND
    assert not await is_ready(shard)


async def test_ends_are_compared_as_numbers(shard: Shard) -> None:
    """9 is behind 10, and 10 is beyond 9."""
    await opened(shard, fence=9)
    note = await note_server(shard)

    assert await mark(shard, note, dict.fromkeys(FOLDED, 10)) is Readiness.BEHIND
    for log in (Log.ACCOUNTS, Log.API_KEYS):
        await fold_table(shard, log, TableBatch(9, 10, {}, None))
    assert await mark(shard, note, dict.fromkeys(FOLDED, 9)) is Readiness.READY


async def test_a_log_that_was_never_opened_is_behind(shard: Shard) -> None:
    """However empty it is."""
    await open_shard(shard, Log.USAGE, earliest=5, incarnation="one")

    assert await mark(shard, await note_server(shard), dict.fromkeys(FOLDED, 0)) is Readiness.BEHIND


async def test_a_note_of_a_shard_that_was_empty_marks_nothing(shard: Shard) -> None:
    """Who noted it before its first owner opened it noted no incarnation."""
    note = await note_server(shard)
    await opened(shard)

    assert await mark(shard, note) is Readiness.CHANGED


async def test_a_note_from_before_a_flush_marks_nothing(client: Redis, shard: Shard, redis_prefix: str) -> None:
    """The ends were read for a shard that is gone; the new one has another incarnation."""
    await opened(shard)
    note = await note_server(shard)
    await client.delete(shard.keys.fences)

    assert await mark(shard, note) is Readiness.CHANGED
    await opened(shard, incarnation="two")
    assert await mark(shard, note) is Readiness.CHANGED
    assert await mark(shard, await note_server(shard)) is Readiness.READY


async def test_a_flush_hides_the_shard_at_once(client: Redis, shard: Shard) -> None:
    """The mark goes with what it stood for."""
    await opened(shard)
    await mark(shard, await note_server(shard))

    await client.delete(shard.keys.fences)

    assert not await is_ready(shard)


async def test_freshness_never_goes_back(shard: Shard) -> None:
    """The last moment at which all was folded; another owner's clock may be behind."""
    await opened(shard)
    note = await note_server(shard)
    seen = []
    for as_of_ms in (1_000, 900, 1_100):
        assert await mark(shard, note, as_of_ms=as_of_ms) is Readiness.READY
        seen.append((await read_state(shard)).as_of_ms)

    assert seen == [1_000, 1_000, 1_100]


@pytest.mark.parametrize("is_held", [False, True])
async def test_freshness_that_a_clock_far_ahead_has_set_is_put_right(
    client: Redis, shard: Shard, is_held: bool
) -> None:
    """Else it would be as of next month until then, whatever lags."""
    await opened(shard)
    note, day_ms = await note_server(shard), 86_400_000
    await mark(shard, note, as_of_ms=36 * day_ms)
    await client.hset(shard.keys.fences, "high_ms", day_ms)

    assert await (held(shard, note, 2 * day_ms) if is_held else mark(shard, note, as_of_ms=2 * day_ms))

    assert (await read_state(shard)).as_of_ms == (day_ms if is_held else 2 * day_ms)


async def test_falling_behind_again_does_not_hide_a_shard(shard: Shard) -> None:
    """Totals only grow: yesterday's is old, not smaller."""
    await opened(shard)
    note = await note_server(shard)
    await mark(shard, note)

    assert await mark(shard, note, ENDS | {Log.USAGE: 99}) is Readiness.BEHIND
    assert await is_ready(shard)


async def held(shard: Shard, note: Note, as_of_ms: int) -> Readiness:
    """Tries to mark a shard that has folded all but what lies behind an open transaction in its usage log."""
    ends = ENDS | {Log.USAGE: 9}
    return await mark_ready(shard, ReadyMark.USAGE, note, ends, as_of_ms=as_of_ms, stable={Log.USAGE: 5})


async def test_a_shard_that_an_open_transaction_holds_back_is_ready_and_no_fresher(shard: Shard) -> None:
    """Nobody was shown more; but what is acknowledged behind the transaction's first record is not counted."""
    await opened(shard)
    note = await note_server(shard)
    await mark(shard, note, as_of_ms=1_000)

    assert await held(shard, note, 2_000) is Readiness.HELD

    assert await is_ready(shard)
    assert (await read_state(shard)).as_of_ms == 1_000


async def test_a_shard_that_had_been_idle_for_long_is_no_less_fresh_for_a_transaction(
    client: Redis, shard: Shard
) -> None:
    """All was counted up to a moment ago, however old its last record is."""
    await opened(shard)
    note, day_ms = await note_server(shard), 86_400_000
    await client.hset(shard.keys.fences, "high_ms", 1)
    await mark(shard, note, as_of_ms=3 * day_ms)

    assert await held(shard, note, 3 * day_ms + 1) is Readiness.HELD

    assert (await read_state(shard)).as_of_ms == 3 * day_ms


async def test_a_shard_before_its_last_stable_offset_is_behind(shard: Shard) -> None:
    """Whatever lies beyond it."""
    await opened(shard, fence=4)

    assert await held(shard, await note_server(shard), 2_000) is Readiness.BEHIND
    assert not await is_ready(shard)


@pytest.mark.parametrize(("high_ms", "as_of_ms"), [(1_500, 1_500), (2_500, 2_000), (None, 0)])
async def test_a_held_shard_that_never_was_fresh_is_as_of_its_last_record(
    client: Redis, shard: Shard, high_ms, as_of_ms
) -> None:
    """What was appended before is counted; but it is no fresher than the question, by whatever clock."""
    await opened(shard)
    if high_ms is not None:
        await client.hset(shard.keys.fences, "high_ms", high_ms)

    assert await held(shard, await note_server(shard), 2_000) is Readiness.HELD

    assert await is_ready(shard)
    assert (await read_state(shard)).as_of_ms == as_of_ms


async def test_readers_of_usage_and_of_pushes_have_a_mark_each(shard: Shard) -> None:
    """What Stripe has accepted is known later, or earlier, than what was counted."""
    await opened(shard)
    await open_shard(shard, Log.PUSHES, earliest=3, incarnation="one")
    note = await note_server(shard)

    assert await mark_ready(shard, ReadyMark.PUSHES, note, {Log.PUSHES: 3}, as_of_ms=7) is Readiness.READY

    assert not await is_ready(shard)
    assert (await read_state(shard)).as_of_ms is None


@pytest.fixture
async def own(own_redis: RedisServer) -> AsyncIterator[Shard]:
    """A ready shard in a Redis that may be restarted; the client connects again."""
    async with Redis.from_url(own_redis.url, retry=Retry(NoBackoff(), 1)) as client:
        shard = Ledger(RedisStore(client), "", 1).shard(0)
        await opened(shard)
        assert await mark(shard, await note_server(shard)) is Readiness.READY
        yield shard


async def test_a_restart_hides_every_shard_until_it_is_checked_again(own: Shard, own_redis: RedisServer) -> None:
    """The last second of the append-only file may be lost: the replication id is another one."""
    before = await note_server(own)
    own_redis.stop()
    own_redis.start()

    assert (await read_state(own)).fences[Log.USAGE] == 5
    assert not await is_ready(own)
    assert await mark(own, before) is Readiness.CHANGED
    after = await note_server(own)
    assert (after.incarnation, after.replication_id != before.replication_id) == (before.incarnation, True)
    assert await mark(own, after) is Readiness.READY
    assert await is_ready(own)
