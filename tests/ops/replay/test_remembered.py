"""The identities that a shard remembers: it answers like the fold would judge the same records."""

import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ledger.reading import NotReadyError
from ledger.ready import ReadyMark, mark_ready, note_server
from ledger.redis_store import RedisStore
from ledger.remembered import MEMBERS_PER_CALL, find_remembered
from ledger.shard import Ledger, Shard
from metering.dedupe import BLOCK_MS, BLOCKS_LOOKED_UP
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from tests.ledger.folding import PARTITIONS, Folder
from tests.metering.events import NOON_MS, Record, event, identity

HOME = partition_of("acme", PARTITIONS)


@pytest.fixture
async def shard(redis_url: str, redis_prefix: str) -> AsyncIterator[Shard]:
    """The empty shard of `acme`."""
    async with Redis.from_url(redis_url) as client:
        yield Ledger(RedisStore(client), redis_prefix, PARTITIONS).shard(HOME)


def record(offset: int, name: str, append_ms: int) -> Record:
    """A countable record."""
    return Record(offset, event(id=name, time=from_unix(append_ms // 1000)), append_ms)


async def make_ready(shard: Shard) -> None:
    """Marks the shard ready, like the aggregator."""
    await mark_ready(shard, ReadyMark.USAGE, await note_server(shard), {}, as_of_ms=int(time.time() * 1000))


async def test_it_knows_what_the_window_holds(shard: Shard) -> None:
    """All blocks are asked, at the expected append time: identities that will have left the window by then are new."""
    folder = Folder(shard)
    await folder.open()
    for weeks in range(BLOCKS_LOOKED_UP + 1):
        at = NOON_MS + weeks * BLOCK_MS
        records = [record(100 * weeks + number, f"{weeks}-{number}", at) for number in range(100)]
        assert (await folder.apply(records, 100 * weeks, 100 * weeks + 100)).applied
    await make_ready(shard)
    members = {
        (weeks, number): identity(id=f"{weeks}-{number}")
        for weeks in range(BLOCKS_LOOKED_UP + 2)
        for number in range(100)
    }

    for now_weeks in (BLOCKS_LOOKED_UP, BLOCKS_LOOKED_UP + 2):
        found = await find_remembered(shard, list(members.values()), now_ms=NOON_MS + now_weeks * BLOCK_MS)

        known = range(now_weeks - BLOCKS_LOOKED_UP + 1, BLOCKS_LOOKED_UP + 1)
        assert found == {member for (weeks, _), member in members.items() if weeks in known}


async def test_more_members_than_a_call_takes(shard: Shard) -> None:
    """They are asked in several calls."""
    folder = Folder(shard)
    await folder.open()
    count = 2 * MEMBERS_PER_CALL + 1
    await folder.apply([record(number, str(number), NOON_MS) for number in range(count)], 0, count)
    await make_ready(shard)
    members = [identity(id=str(number)) for number in range(count + 10)]

    assert await find_remembered(shard, members, now_ms=NOON_MS) == set(members[:count])


async def test_a_shard_that_is_not_ready_does_not_tell(shard: Shard) -> None:
    """It would remember too little. An empty shard that is ready knows no identity."""
    await Folder(shard).open()
    with pytest.raises(NotReadyError):
        await find_remembered(shard, [1], now_ms=NOON_MS)

    await make_ready(shard)
    assert await find_remembered(shard, [1], now_ms=NOON_MS) == set()
