"""A hundred thousand rows that wait for a person: whoever looks at them lets Redis serve everybody else meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from ledger.pushes import read_in_flight, read_in_flight_from, read_parked, read_parked_rows
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import Log, open_shard
from local.servers.redis import RedisServer
from metering.outcome import ParkReason
from metering.push_fold import Parked
from tests.ledger_push.rows import row

ROWS = 100_000
MOST_SECONDS = 0.02  # of Redis, at a time
CALLS = "cmdstat_evalsha_ro"


@pytest.fixture
async def full(own_redis: RedisServer) -> AsyncIterator[tuple[Redis, Shard]]:
    """A shard with so many rows parked, and as many in flight."""
    async with Redis.from_url(own_redis.url) as client:
        shard = Ledger(RedisStore(client), "", 1).shard(0)
        await open_shard(shard, Log.PUSHES, earliest=7, incarnation="one")
        waits = Parked(row=row(0, 1), prepared_ms=0, parked_ms=0, reason=ParkReason.REFUSED, detail="no")
        entry = waits.model_dump_json()
        for first in range(0, ROWS, 5000):
            rows = {f"{number:064x}": entry for number in range(first, first + 5000)}
            await client.hset(shard.keys.parked, mapping=rows)
            await client.hset(shard.keys.in_flight, mapping=rows)
        yield client, shard


Look = Callable[[Shard], Awaitable[int]]


async def all_parked(shard: Shard) -> int:
    """As operators see them."""
    return len(await read_parked(shard))


async def all_that_can_be_read(shard: Shard) -> int:
    """As the worker sees them."""
    return len((await read_parked_rows(shard)).entries)


async def all_in_flight(shard: Shard) -> int:
    """A bulk of retries makes as many."""
    return len(await read_in_flight(shard))


async def all_in_flight_from(shard: Shard) -> int:
    """As the worker sees them."""
    rows = await read_in_flight_from(shard, 7)
    assert rows is not None
    return len(rows.entries)


@pytest.mark.parametrize("look", [all_parked, all_that_can_be_read, all_in_flight, all_in_flight_from])
async def test_a_look_at_a_hundred_thousand_rows_holds_redis_up_for_moments_only(
    full: tuple[Redis, Shard], look: Look
) -> None:
    """Every row is seen, in steps that take milliseconds each; another client is served between them."""
    client, shard = full
    await look(shard)  # the script is known by now
    await client.config_resetstat()
    looking = asyncio.create_task(look(shard))
    served = 0
    while not looking.done():
        await client.ping()
        served += 1
    assert looking.result() == ROWS
    stats = (await client.info("commandstats"))[CALLS]
    assert stats["usec_per_call"] / 1e6 < MOST_SECONDS / 2
    assert stats["calls"] >= ROWS / 2000
    assert served >= stats["calls"] / 2


async def test_rows_of_a_shard_that_was_lost_meanwhile_are_not_all_there_are(full: tuple[Redis, Shard]) -> None:
    """A step that finds no fence makes the whole look worth nothing: some of the rows may have been gone."""
    client, shard = full
    steps = 0

    class Losing:
        async def run(self, script, keys, args):
            nonlocal steps
            steps += 1
            if steps == 3:
                await client.delete(shard.keys.fences)
            return await shard.store.run(script, keys, args)

    assert await read_in_flight_from(Shard(Losing(), shard.keys), 7) is None
    assert steps > 3


async def test_rows_of_a_fold_that_stands_before_what_was_asked_for_are_no_answer(shard: Shard) -> None:
    """Some of them may be settled by then."""
    await open_shard(shard, Log.PUSHES, earliest=7, incarnation="one")
    assert await read_in_flight_from(shard, 8) is None
    assert await read_in_flight_from(shard, 7) is not None
