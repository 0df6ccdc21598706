"""What is older than is kept goes by the time of its own log: no clock of Redis decides what is counted or claimed."""

import pytest
from redis.asyncio import Redis

from ledger.callers import CallerWindow, find_caller
from ledger.pruning import note_pruned, prune_some
from ledger.push_fold import fold_push
from ledger.scan import ScanCursor, scan_keys
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from metering.push_log import PushRecord
from metering.retention import ACCEPTED_DAYS, PUSHES_KEPT_SECONDS, UNITS_DAYS, WRITERS_SECONDS
from metering.span import DAY_SECONDS
from tests.ledger_push.counts import HOUR, NOON, Counts
from tests.ledger_push.rows import delivered, prepared, row

TODAY = NOON // DAY_SECONDS
DAY_MS = 1000 * DAY_SECONDS


async def names(shard: Shard) -> set[str]:
    """The shard's keys, without its tag."""
    return {name.partition("}")[2] async for some in scan_keys(shard) for name in some}


async def prune(shard: Shard, append_ms: int, *, at: int | None = None) -> set[str]:
    """One whole walk; what it removed."""
    before, place = await names(shard), ScanCursor()
    at = (await read_state(shard)).fences[Log.USAGE] if at is None else at
    while place is not None:
        place = await prune_some(shard, place, at=at, append_ms=append_ms)
    return before - await names(shard)


async def push(shard: Shard, *records: PushRecord, append_ms: int = NOON * 1000) -> None:
    """Folds records that go on where the push log's fold stands."""
    for record in records:
        at = (await read_state(shard)).fences[Log.PUSHES]
        assert (await fold_push(shard, record, at, append_ms)).applied


async def test_nothing_that_is_counted_or_claimed_expires(client: Redis, shard: Shard, counts: Counts) -> None:
    """A server whose clock jumps ahead, for two seconds even, would delete it. What may be lost at any time does."""
    counts.use("a", "sms.send", 10, NOON)
    counts.map("a")
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
    await push(shard, prepared(row(0, 5)), delivered(row(0, 5)), prepared(row(5, 8)))
    await client.hset(shard.keys.fences, "closed_before", NOON // HOUR + 1)
    await push(shard, delivered(row(5, 8)), prepared(row(0, 5)))
    await client.hset(shard.keys.api_keys, "hash", b'{"account":"a","created":1}')
    await find_caller(shard, "hash", now=NOON, window=CallerWindow.at(NOON, 60))

    kept = {name: await client.ttl(f"{shard.keys.fences[:-1]}{name}") for name in await names(shard) | {"f"}}

    assert {name.partition(":")[0] for name in kept} == {*"ftuscakd", "api", "fly", "held"}
    assert {name for name, seconds in kept.items() if seconds != -1} == {f"api:uses:{NOON // 60}"}


@pytest.mark.parametrize(("later", "gone"), [(UNITS_DAYS, False), (UNITS_DAYS + 1, True), (UNITS_DAYS + 40, True)])
async def test_units_are_kept_for_seventy_two_days_after_their_own(shard: Shard, counts: Counts, later, gone) -> None:
    """By the usage log: a day longer than anybody may ask for, whoever's clock they ask by."""
    counts.use("a:b", "sms.send", 10, NOON)
    counts.use("c", "sms.send", 10, NOON - DAY_SECONDS)
    await counts.fold()

    removed = await prune(shard, (TODAY + later) * DAY_MS)

    assert (f"u:a:b:{TODAY}" in removed) is gone
    assert f"u:c:{TODAY - 1}" in removed


@pytest.mark.parametrize(("later", "gone"), [(10 + UNITS_DAYS, False), (11 + UNITS_DAYS, True)])
async def test_a_month_is_kept_until_its_last_day_is_too_old(shard: Shard, counts: Counts, later, gone) -> None:
    """NOON is the 20th of June: its month ends ten days later."""
    counts.use("a", "sms.send", 10, NOON)
    await counts.fold()

    removed = await prune(shard, (TODAY + later) * DAY_MS)

    assert ("t:a:202606" in removed) is gone


async def test_a_shard_that_was_flushed_meanwhile_is_left_alone(shard: Shard, counts: Counts) -> None:
    """Who slept through a flush would remove what a refold is counting."""
    counts.use("a", "sms.send", 10, NOON)
    await counts.fold()

    assert await prune(shard, (TODAY + 200) * DAY_MS, at=2) == set()
    await note_pruned(shard, TODAY + 200, at=2)

    assert (await read_state(shard)).pruned == 0
    await note_pruned(shard, TODAY + 200, at=1)
    assert (await read_state(shard)).pruned == TODAY + 200


async def test_accepted_units_are_kept_by_the_push_logs_time(shard: Shard, counts: Counts) -> None:
    """A push log that is being folded anew is months behind the count: its orders still ask for what is old by then."""
    counts.use("a", "sms.send", 10, NOON)
    counts.map("a")
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
    await push(shard, prepared(row(0, 5)), delivered(row(0, 5)))
    late, accepted = (TODAY + 300) * DAY_MS, f"s:a:{TODAY}"

    assert accepted not in await prune(shard, late)
    await push(shard, prepared(row(5, 6)), append_ms=(TODAY + ACCEPTED_DAYS) * DAY_MS)
    assert accepted not in await prune(shard, late)
    await push(shard, prepared(row(6, 7)), append_ms=(TODAY + ACCEPTED_DAYS + 1) * DAY_MS)
    assert accepted not in await prune(shard, (TODAY + ACCEPTED_DAYS) * DAY_MS)
    assert accepted in await prune(shard, late)


async def test_claims_of_closed_buckets_are_kept_until_nobody_can_append_about_them(
    client: Redis, shard: Shard, counts: Counts
) -> None:
    """As long as the push log keeps records of that time: however long the refold itself takes."""
    counts.use("a", "sms.send", 10, NOON)
    await counts.fold()
    closed = NOON // HOUR + 1
    last = closed * HOUR + PUSHES_KEPT_SECONDS + WRITERS_SECONDS
    await client.hset(shard.keys.fences, "closed_before", closed)
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
    claims, late = f"c:a:{TODAY}", (TODAY + 300) * DAY_MS
    await push(shard, prepared(row(0, 5)), append_ms=NOON * 1000)

    assert claims not in await prune(shard, late)
    await push(shard, delivered(row(0, 5)), append_ms=(last - 1) * 1000)
    assert claims not in await prune(shard, late)
    await push(shard, delivered(row(0, 5)), append_ms=last * 1000)
    assert claims in await prune(shard, late)
