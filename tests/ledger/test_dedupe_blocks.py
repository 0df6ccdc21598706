"""Dedupe blocks in Redis: how long an identity is remembered, and what is left of it afterwards."""

import pytest
from redis.asyncio import Redis

from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import read_state
from ledger.usage import drop_block
from metering.dedupe import BLOCK_MS, block_of
from metering.rfc3339 import from_unix
from tests.ledger.conftest import SHARD
from tests.ledger.folding import Folder
from tests.ledger.reference import ACCOUNTS
from tests.ledger.stored import stored
from tests.metering.events import NOON_MS, Record, event

FIRST = block_of(NOON_MS)


def appended(offset: int, weeks: int, identity: str) -> Record:
    """An event that was appended so many blocks after the first, in time."""
    append_ms = FIRST * BLOCK_MS + weeks * BLOCK_MS
    return Record(offset, event(id=identity, subject=ACCOUNTS[0], time=from_unix(append_ms // 1000)), append_ms)


async def folded(shard: Shard, *records: Record) -> list[int]:
    """Folds the records one by one; how many duplicates each call found in the state."""
    folder = Folder(shard)
    at, found = await folder.open(), []
    for record in records:
        found.append((await folder.apply([record], at, record.offset + 1)).value)
        at = record.offset + 1
    return found


@pytest.mark.parametrize(("weeks", "known"), [(0, 1), (1, 1), (4, 1), (5, 1), (6, 0), (30, 0)])
async def test_an_identity_is_remembered_for_five_blocks_more(shard: Shard, weeks, known) -> None:
    """Longer than an event may be late. Records in between or not."""
    assert await folded(shard, appended(0, 0, "1"), appended(1, weeks, "1")) == [0, known]


async def test_a_repetition_does_not_prolong_the_memory(shard: Shard) -> None:
    """It stays in the block of the first: a member has one place."""
    assert await folded(shard, appended(0, 0, "1"), appended(1, 5, "1"), appended(2, 6, "1")) == [0, 1, 0]


async def test_expired_blocks_leave_nothing_behind(client: Redis, shard: Shard) -> None:
    """Neither sets nor fields; what is still looked up stays."""
    records = [appended(week, week, str(week)) for week in range(9)]

    await folded(shard, *records)

    found, state = await stored(client, shard), await read_state(shard)
    assert set(found.sets) == set(state.window.sets) == set(state.window.members) == set(range(FIRST + 3, FIRST + 9))
    assert not [name for name in found.fences if name.endswith(f":{FIRST}")]


async def test_an_interval_that_crosses_a_block_finds_its_own_first_half(shard: Shard) -> None:
    """One interval, two calls; the second looks the first up."""
    folder = Folder(shard)
    await folder.open()

    answer = await folder.apply([appended(0, 0, "1"), appended(1, 1, "1"), appended(2, 1, "2")], 0, 3)

    assert answer.value == 1
    assert (await read_state(shard)).conservation.counted == 2


async def test_a_new_owner_knows_the_blocks_of_the_old_one(shard: Shard) -> None:
    """How many sets each has is part of the shard's state, for as long as it is looked up."""
    await folded(shard, appended(0, 0, "1"))
    folder = Folder(shard)
    await folder.open()
    folder.window.members[FIRST] = 3_000_000
    await folder.apply([appended(1, 1, "2")], 1, 2)

    assert folder.window.sets == {FIRST: 256, FIRST + 1: 1024}
    assert (await read_state(shard)).window.sets == folder.window.sets
    assert await folded(shard, appended(2, 2, "1"), appended(3, 2, "2")) == [1, 1]


async def test_members_stay_in_the_cheap_encoding(client: Redis, shard: Shard) -> None:
    """64-bit numbers: an intset, a tenth of a hash table's memory."""
    await folded(shard, *(appended(number, 0, str(number)) for number in range(300)))

    names = [name async for name in client.scan_iter(match=f"{shard.keys.prefix}*d:*", count=5000)]
    assert {await client.object("encoding", name) for name in names} == {b"intset"}


@pytest.mark.parametrize("sets", [256, 8192, 32_768])
async def test_a_block_of_any_size_can_be_dropped(client: Redis, shard: Shard, sets) -> None:
    """At 1,000 events a second a block has thousands of sets: more than Lua unpacks at once."""
    await folded(shard, appended(0, 9, "1"))
    for index in (0, 1, sets // 2, sets - 1):
        await client.sadd(shard.keys.remembered(FIRST, index), index)
    await client.hset(shard.keys.fences, mapping={f"sets:{FIRST}": sets, f"members:{FIRST}": 4})

    await drop_block(shard, FIRST, sets, at=1)
    await drop_block(shard, FIRST, sets, at=1)

    assert FIRST not in (await stored(client, shard)).sets
    assert FIRST not in (await read_state(shard)).window.sets


async def test_a_zombie_cannot_drop_a_block_that_a_refold_has_begun_to_fill(client: Redis, redis_prefix: str) -> None:
    """It applied its batch, slept through a flush, and wakes while another owner folds the log from its start."""
    shard = Ledger(RedisStore(client), redis_prefix, 4).shard(SHARD)
    await folded(shard, *(appended(week, week, str(week)) for week in range(6)))
    await client.delete(*[key async for key in client.scan_iter(match=f"{redis_prefix}*", count=5000)])
    await folded(shard, appended(0, 0, "0"))

    await drop_block(shard, FIRST, 256, at=7)

    assert await folded(shard, appended(1, 0, "0")) == [1]
