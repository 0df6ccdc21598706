"""Stops, beside the fences: noted while they hold, gone when the log goes on."""

from redis.asyncio import Redis

from ledger.clearing import clear_shard
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from ledger.stops import keep_stops
from ledger.tables import TableBatch, fold_table
from metering.stop import Stop, StopReason
from tests.ledger.folding import fold
from tests.metering.events import Record, event

LOGS = (Log.USAGE, Log.ACCOUNTS)
STOP = Stop(StopReason.UNREADABLE_BATCH, 1, 4, "usage.events-1 can't be read at 1", 1000)


async def test_a_stop_is_noted_and_forgotten(shard: Shard) -> None:
    """Of the log that is stopped, and of no other; who opens the shard is told as well."""
    await fold(shard, Record(0, event()))

    await keep_stops(shard, LOGS, {Log.USAGE: STOP})
    assert (await read_state(shard)).stops == {Log.USAGE: STOP}
    assert (await open_shard(shard, Log.ACCOUNTS, earliest=0, incarnation="two")).stops == {Log.USAGE: STOP}

    await keep_stops(shard, LOGS, {})
    assert (await read_state(shard)).stops == {}


async def test_a_stop_holds_while_the_fence_stands_there(shard: Shard) -> None:
    """Whoever folds on need not know of it: the batch's script does not touch it."""
    await fold(shard, Record(0, event()))
    accounts = Stop(StopReason.LOG_LOST, 0, None, "billing.accounts-1 was truncated", 1000)
    await open_shard(shard, Log.ACCOUNTS, earliest=0, incarnation="one")
    await keep_stops(shard, LOGS, {Log.USAGE: STOP, Log.ACCOUNTS: accounts})

    await fold(shard, Record(1, event(id="2")))
    assert (await read_state(shard)).stops == {Log.ACCOUNTS: accounts}
    await fold_table(shard, Log.ACCOUNTS, TableBatch(0, 3, {}, None))
    assert (await read_state(shard)).stops == {}


async def test_a_log_may_stop_before_it_has_a_fence(shard: Shard) -> None:
    """What was flushed while a log was stopped is noted again; the shard is as empty as before."""
    await keep_stops(shard, LOGS, {Log.USAGE: STOP})

    state = await read_state(shard)
    assert (state.stops, state.incarnation, state.fences) == ({Log.USAGE: STOP}, "", {})


async def test_a_shard_that_is_being_cleared_has_no_stops(client: Redis, shard: Shard) -> None:
    """It has lost the ones that it had, and takes no new one."""
    await fold(shard, Record(0, event()))
    await keep_stops(shard, LOGS, {Log.USAGE: STOP})
    await anext(clear_shard(shard, nonce="one", now_ms=1))

    await keep_stops(shard, LOGS, {Log.USAGE: STOP})

    assert set(await client.hkeys(shard.keys.fences)) == {b"clearing", b"clearing.since"}
