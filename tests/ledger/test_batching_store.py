"""Scripts that are sent together: each caller gets its own answer, whatever becomes of the others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from ledger.batching_store import MOST_CALLS, BatchingStore
from ledger.script import Script, load
from local.servers.redis import RedisServer

COUNT = load("count_attempt")
WRONG = load("take_hints")  # reads a set


@pytest.fixture
async def own(own_redis: RedisServer) -> AsyncIterator[Redis]:
    """A client of a server of this test's own."""
    async with Redis.from_url(own_redis.url) as client:
        yield client


async def count(store: BatchingStore, name: str, script: Script = COUNT) -> int:
    """One more, by a script."""
    return (await store.run(script, ["f", name], [60]))[0]


async def test_each_caller_gets_its_own_answer(own: Redis) -> None:
    """Given more calls at once than one batch takes, on a server that has never seen the script."""
    store, names = BatchingStore(own), [f"name-{n}" for n in range(2 * MOST_CALLS + 50)]
    assert await asyncio.gather(*(count(store, name) for name in names)) == [1] * len(names)
    await own.script_flush()
    assert await asyncio.gather(*(count(store, name) for name in names)) == [2] * len(names)
    assert await count(store, names[0]) == 3


async def test_calls_at_once_share_their_trips(own: Redis) -> None:
    """Given a hundred calls, the server is asked in far fewer transmissions: they run one after another there."""
    store = BatchingStore(own)
    await count(store, "x")
    before = (await own.info("stats"))["total_reads_processed"]
    await asyncio.gather(*(count(store, "x") for _ in range(100)))
    assert (await own.info("stats"))["total_reads_processed"] - before < 20


async def test_a_call_that_fails_fails_alone(own: Redis) -> None:
    """Given a script that the server refuses among others, they have their answers."""
    await own.set("text", "1")
    store = BatchingStore(own)
    outcomes = await asyncio.gather(
        count(store, "a"), count(store, "b"), count(store, "text", WRONG), count(store, "c"), return_exceptions=True
    )
    assert [outcome if isinstance(outcome, int) else type(outcome) for outcome in outcomes] == [1, 1, ResponseError, 1]


async def test_a_caller_that_goes_away_takes_nobody_along(own: Redis) -> None:
    """Given a call that is cancelled while it waits for its turn, the others go on."""
    store = BatchingStore(own)
    tasks = [asyncio.create_task(count(store, f"name-{n}")) for n in range(10)]
    await asyncio.sleep(0)
    tasks[4].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes.pop(4), asyncio.CancelledError)
    assert outcomes == [1] * 9
    assert await count(store, "later") == 1


async def test_a_server_that_is_away_is_told_to_every_caller(own_redis: RedisServer, own: Redis) -> None:
    """And the store goes on once it is back."""
    store = BatchingStore(own)
    assert await count(store, "x") == 1
    own_redis.stop()
    outcomes = await asyncio.gather(*(count(store, "x") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, RedisConnectionError) for outcome in outcomes)
    own_redis.start()
    assert await count(store, "y") == 1
