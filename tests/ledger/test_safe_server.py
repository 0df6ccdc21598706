"""A server that throws keys away: nobody sees its shards, nothing is folded there, and whoever opens one is told."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ledger.answer import Verdict
from ledger.clearing import clear_shard
from ledger.due import quote_due
from ledger.push_fold import fold_push
from ledger.reading import NotReadyError, is_ready
from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import Log, open_shard, read_state
from ledger.status import read_status
from ledger.tables import TableBatch, fold_table
from local.servers.redis import RedisServer
from metering.push_log import WriteOffOrder
from metering.stop import ShardStoppedError, StopReason
from tests.ledger.folding import Folder
from tests.ledger.reference import ACCOUNTS
from tests.metering.events import NOON_MS, Record, event

FOLDED = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
EVICTING = ("allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl")
FILLING = 2_000_000  # bytes


@pytest.fixture
async def client(own_redis: RedisServer) -> AsyncIterator[Redis]:
    """A client of a server of this test's own, which may be restarted."""
    async with Redis.from_url(own_redis.url, retry=Retry(NoBackoff(), 1)) as client:
        yield client


@pytest.fixture
async def shard(client: Redis) -> Shard:
    """A shard that is ready."""
    shard = Ledger(RedisStore(client), "", 4).shard(1)
    await opened(shard)
    assert await marked(shard) is Readiness.READY
    return shard


async def opened(shard: Shard, incarnation: str = "one") -> None:
    """Opens all logs."""
    for log in Log:
        await open_shard(shard, log, earliest=0, incarnation=incarnation)


async def marked(shard: Shard, mark: ReadyMark = ReadyMark.USAGE) -> Readiness:
    """Looks at the server, as every worker does about twice a second."""
    return await mark_ready(shard, mark, await note_server(shard), dict.fromkeys(FOLDED, 0), as_of_ms=1)


async def evict(client: Redis) -> None:
    """Has the server throw something away, which is none of the shard's, and sets it as it should be again."""
    before = (await client.info("stats"))["evicted_keys"]
    await client.config_set("maxmemory-policy", "volatile-random")
    for number in range(20):
        await client.set(f"filling-{number}", "x" * (FILLING // 20), ex=3600)
    used = (await client.info("memory"))["used_memory"]
    await client.config_set("maxmemory", used - FILLING // 2)
    await client.set("filling", "x", ex=3600)
    await client.config_set("maxmemory", 0)
    await client.config_set("maxmemory-policy", "noeviction")
    assert (await client.info("stats"))["evicted_keys"] > before


async def refused(shard: Shard) -> str:
    """What is said to who opens the shard."""
    with pytest.raises(ShardStoppedError) as caught:
        await open_shard(shard, Log.USAGE, earliest=0, incarnation="two")
    assert caught.value.reason is StopReason.UNSAFE_SERVER
    return str(caught.value)


@pytest.mark.parametrize("policy", EVICTING)
async def test_a_policy_that_evicts_closes_the_shard_until_it_is_mended(
    client: Redis, shard: Shard, policy: str
) -> None:
    """CONFIG SET, a promoted replica, another node of a cluster: the next look finds it, and names it."""
    assert await marked(shard, ReadyMark.PUSHES) is Readiness.READY
    await client.config_set("maxmemory-policy", policy)

    assert await marked(shard) is Readiness.UNSAFE

    assert not await is_ready(shard)
    assert not (await read_status(shard)).push_ready
    assert f"maxmemory-policy {policy}" in await refused(shard)
    await client.config_set("maxmemory-policy", "noeviction")
    await opened(shard, "two")
    assert (await read_state(shard)).incarnation == "one"
    assert await marked(shard) is Readiness.READY
    assert await is_ready(shard)


async def test_nothing_is_folded_into_a_shard_whose_server_evicts(client: Redis, shard: Shard) -> None:
    """A duplicate would be counted once its first is forgotten; a fence may go, or come back."""
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await marked(shard)
    folder = Folder(shard)

    answers = [
        await folder.apply([Record(0, event(id="1", subject=ACCOUNTS[0]), NOON_MS)], 0, 1),
        await fold_table(shard, Log.ACCOUNTS, TableBatch(0, 1, {"a": b"{}"}, None)),
        await fold_push(shard, WriteOffOrder(who="me", why="so", identifier="1"), 0, NOON_MS),
    ]

    assert [answer.verdict for answer in answers] == [Verdict.UNSAFE] * 3
    assert set((await read_state(shard)).fences.values()) == {0}
    await client.config_set("maxmemory-policy", "noeviction")
    assert await marked(shard) is Readiness.READY
    assert (await folder.apply([Record(0, event(id="1", subject=ACCOUNTS[0]), NOON_MS)], 0, 1)).applied


async def test_a_shard_is_not_begun_on_a_server_that_evicts(client: Redis) -> None:
    """It stays empty."""
    await client.config_set("maxmemory-policy", "allkeys-lru")
    shard = Ledger(RedisStore(client), "", 4).shard(1)

    assert "allkeys-lru" in await refused(shard)

    assert await client.keys() == []


async def test_what_was_evicted_is_not_forgiven(client: Redis, shard: Shard, own_redis: RedisServer) -> None:
    """Neither by the right policy, nor by a restart, which counts from 0 again: only by folding anew."""
    await evict(client)

    assert await marked(shard) is Readiness.UNSAFE
    assert "billing rebuild --shard 1" in await refused(shard)
    own_redis.stop()
    own_redis.start()
    assert await marked(shard) is Readiness.UNSAFE
    assert "has evicted" in await refused(shard)

    async for _ in clear_shard(shard, nonce="n", now_ms=1):
        pass
    await opened(shard, "two")
    assert await marked(shard) is Readiness.READY


async def test_a_shard_that_is_begun_after_evictions_is_as_good_as_any(client: Redis) -> None:
    """What was thrown away before was not its own."""
    await evict(client)
    shard = Ledger(RedisStore(client), "", 4).shard(1)
    await opened(shard)

    assert await marked(shard) is Readiness.READY
    await evict(client)
    assert await marked(shard) is Readiness.UNSAFE


async def test_a_reset_of_the_statistics_hides_nothing(client: Redis, shard: Shard) -> None:
    """CONFIG RESETSTAT between two looks: the next eviction counts from 0."""
    await evict(client)
    async for _ in clear_shard(shard, nonce="n", now_ms=1):
        pass
    await opened(shard, "two")
    await client.config_resetstat()
    assert await marked(shard) is Readiness.READY

    await evict(client)

    assert await marked(shard) is Readiness.UNSAFE


async def test_a_server_that_evicted_before_it_was_looked_at_is_no_place_to_go_on(
    client: Redis, shard: Shard, own_redis: RedisServer
) -> None:
    """A replica that is promoted and evicts at once, or a restart on a smaller machine: it is another server."""
    own_redis.stop()
    own_redis.start()
    await evict(client)

    assert await marked(shard) is Readiness.UNSAFE
    assert "has evicted" in await refused(shard)


async def test_nothing_is_known_of_a_server_that_is_gone_and_evicted_by_its_policy(
    client: Redis, shard: Shard, own_redis: RedisServer
) -> None:
    """It was seen to evict by its policy; what it threw away before it was restarted, nobody can tell."""
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await marked(shard)
    own_redis.stop()
    own_redis.start()

    assert await marked(shard) is Readiness.UNSAFE
    assert "may have" in await refused(shard)


async def test_nothing_is_planned_from_a_count_that_lacks_something(client: Redis, shard: Shard) -> None:
    """Not even before the next look: what Stripe is told is read together with the server's state."""
    assert (await quote_due(shard, [])).usage_fence == 0
    await evict(client)
    assert await is_ready(shard)

    with pytest.raises(NotReadyError):
        await quote_due(shard, [])

    assert not await is_ready(shard)
