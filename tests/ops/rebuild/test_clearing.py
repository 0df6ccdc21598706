"""Clearing a shard: the scripts on a shard that has only the mark of its clearing."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.clearing import ClearingLostError, clear_shard
from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.redis_store import RedisStore
from ledger.scan import scan_keys
from ledger.shard import Ledger, Shard
from ledger.state import Log, ShardClearingError, open_shard, read_state
from ledger.status import read_status
from ledger.tables import TableBatch, fold_table
from metering.partition import partition_of
from runtime.clock import SystemClock
from stripe_sync.push_log.folder import PushFolder
from tests.ledger.folding import PARTITIONS, Folder, fold
from tests.metering.events import Record, event
from tests.stripe_sync.memory_log import MemoryPushLog
from tests.support.eventually import eventually_async

HOME = partition_of("acme", PARTITIONS)


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the shared Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def shard(client: Redis, redis_prefix: str) -> Shard:
    """The shard of the account `acme`, with one event counted."""
    shard = Ledger(RedisStore(client), redis_prefix, PARTITIONS).shard(HOME)
    assert (await fold(shard, Record(0, event()))).verdict is Verdict.APPLIED
    return shard


async def begin(client: Redis, shard: Shard, nonce: str = "one") -> AsyncIterator[int]:
    """A clearing that has set its mark and removed nothing yet."""
    steps = clear_shard(shard, nonce=nonce, now_ms=1_000)
    assert await anext(steps) == 0
    return steps


async def test_it_removes_everything_and_leaves_other_shards_and_copies_alone(client: Redis, shard: Shard) -> None:
    """Shard 1 is cleared, not shard 11, and not shard 1 of a copy with a longer prefix."""
    prefix = shard.keys.prefix
    others = [f"{prefix}{{p{HOME}1}}u:acme:1", f"copy:{prefix}{{p{HOME}}}u:acme:1"]
    for other in others:
        await client.hset(other, "0", 1)

    removed = [count async for count in clear_shard(shard, nonce="one", now_ms=1)][-1]

    assert removed >= 4
    assert [name async for names in scan_keys(shard) for name in names] == []
    assert not await client.exists(shard.keys.fences)
    assert await client.unlink(*others) == 2


async def test_while_it_lasts_nobody_reads_folds_or_opens_the_shard(client: Redis, shard: Shard) -> None:
    """Folds find no fence, no mark can be set, and the shard can't be opened; after the clearing it can."""
    folder = Folder(shard)
    await folder.open()
    note = await note_server(shard)
    steps = await begin(client, shard)

    status = await read_status(shard)
    assert (status.clearing_ms, status.ready, status.state.fences) == (1_000, False, {})
    assert (await folder.apply([Record(1, event(id="2"))], 1, 2)).verdict is Verdict.EMPTY
    assert (await fold_table(shard, Log.ACCOUNTS, TableBatch(0, 1, {"acme": b"{}"}, None))).verdict is Verdict.EMPTY
    for noted in (note, await note_server(shard)):
        assert await mark_ready(shard, ReadyMark.USAGE, noted, {}, as_of_ms=1) is Readiness.CHANGED
    for log in Log:
        with pytest.raises(ShardClearingError):
            await open_shard(shard, log, earliest=0, incarnation="new")
    assert await client.hlen(shard.keys.fences) == 2

    assert [count async for count in steps]
    assert (await open_shard(shard, Log.USAGE, earliest=0, incarnation="new")).fences == {Log.USAGE: 0}


async def test_a_stripe_worker_waits_for_the_shard_without_an_error(client: Redis, shard: Shard) -> None:
    """Even for long: the worker's time for giving up does not run."""
    folder = PushFolder(shard, MemoryPushLog(SystemClock()), SystemClock(), lambda: "new")
    assert await folder.fold_to_end() is not None
    steps = await begin(client, shard)

    assert [await folder.fold_to_end() for _ in range(3)] == [None, None, None]

    assert [count async for count in steps]
    await eventually_async(folder.fold_to_end)


async def test_a_later_clearing_takes_over(client: Redis, shard: Shard) -> None:
    """The earlier one removes nothing more, even after a new fold; the time of the first beginning is kept."""
    first = await begin(client, shard)
    second = clear_shard(shard, nonce="two", now_ms=9_000)
    await anext(second)
    assert (await read_status(shard)).clearing_ms == 1_000

    with pytest.raises(ClearingLostError):
        await anext(first)
    assert [count async for count in second]
    await fold(shard, Record(0, event()))
    third = await begin(client, shard, "three")
    assert [count async for count in third]

    late = await begin(client, shard, "late")
    await client.unlink(shard.keys.fences)  # what the end of another clearing does
    await fold(shard, Record(0, event()))
    with pytest.raises(ClearingLostError):
        [count async for count in late]
    assert (await read_state(shard)).conservation.counted == 1
