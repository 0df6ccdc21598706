"""A failover: replicas answer nobody, and whoever was connected to the old master finds the new one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import ReadOnlyError

from ledger.batching_store import BatchingStore
from ledger.callers import CallerWindow, find_caller
from ledger.counters import read_counters
from ledger.due import list_due, quote_due
from ledger.history import read_history
from ledger.pushes import read_accounts, read_in_flight
from ledger.reading import find_account, find_key, is_ready, read_usage
from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import Log, open_shard, read_state
from ledger.status import read_status
from local.servers.redis import RedisServer
from metering.span import Span
from tests.ledger.failing_over import Pair, failing_over

FOLDED = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
NOWHERE = Span((), ())
HASH = "a" * 64
CONNECTIONS = 8
WINDOW = CallerWindow.at(0, 60)

Ask = Callable[[Shard], Awaitable[object]]
QUESTIONS: dict[str, Ask] = {
    "is_ready": is_ready,
    "find_key": lambda shard: find_key(shard, HASH),
    "find_caller": lambda shard: find_caller(shard, HASH, now=0, window=WINDOW),
    "find_account": lambda shard: find_account(shard, "acme"),
    "read_usage": lambda shard: read_usage(shard, "acme", b"", NOWHERE),
    "read_history": lambda shard: read_history(shard, "acme", b"", [NOWHERE], [0, 60]),
    "read_accounts": lambda shard: read_accounts(shard, ["acme"]),
    "read_in_flight": read_in_flight,
    "list_due": lambda shard: list_due(shard, 0, 1),
    "quote_due": lambda shard: quote_due(shard, []),
    "read_counters": lambda shard: read_counters(shard, []),
    "read_state": read_state,
    "read_status": read_status,
    "note_server": note_server,
    "open_shard": lambda shard: open_shard(shard, Log.USAGE, earliest=0, incarnation="two"),
}


async def made_ready(shard: Shard) -> None:
    """An empty shard that readers may see."""
    for log in FOLDED:
        await open_shard(shard, log, earliest=0, incarnation="one")
    note = await note_server(shard)
    assert await mark_ready(shard, ReadyMark.USAGE, note, dict.fromkeys(FOLDED, 0), as_of_ms=1) is Readiness.READY


@pytest.fixture
async def pair(own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[Pair]:
    """A master and a replica that is in step."""
    async with failing_over(own_redis, tmp_path / "replica") as pair:
        yield pair


@pytest.fixture
async def client(pair: Pair) -> AsyncIterator[Redis]:
    """Connects to the master, by the address that follows it."""
    pool = BlockingConnectionPool.from_url(pair.board.redis_url, max_connections=CONNECTIONS)
    async with Redis.from_pool(pool) as client:
        yield client


async def test_a_replica_answers_nobody(pair: Pair, client: Redis) -> None:
    """However well it is in step, and although its own replication id is in the mark: it may be cut off next."""
    await made_ready(Ledger(RedisStore(client), "", 1).shard(0))
    pair.attach()
    async with Redis.from_url(pair.replica.url) as replica:
        shard = Ledger(RedisStore(replica), "", 1).shard(0)
        for name, ask in QUESTIONS.items():
            with pytest.raises(ReadOnlyError, match="replica"):
                pytest.fail(f"{name}: {await ask(shard)}")


@pytest.mark.parametrize("store", [RedisStore, BatchingStore])
async def test_who_was_connected_to_the_old_master_finds_the_new_one(
    pair: Pair, client: Redis, store: type[RedisStore] | type[BatchingStore]
) -> None:
    """Given many open connections to a server that lives on as a replica, one answer of it ends them all."""
    shard = Ledger(store(client), "", 1).shard(0)
    await made_ready(shard)
    await asyncio.gather(*(client.ping() for _ in range(CONNECTIONS)))

    pair.swap()

    with pytest.raises(ReadOnlyError):
        await is_ready(shard)
    pings = await asyncio.gather(*(client.info("replication") for _ in range(CONNECTIONS)))
    assert {ping["role"] for ping in pings} == {"master"}
    assert not await is_ready(shard)  # the new master has another replication id
    await made_ready(shard)
    assert await is_ready(shard)
