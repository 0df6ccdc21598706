"""While the state is being folded, or Redis is away, the API answers 503, and never a total that is too small."""

import httpx
from redis.asyncio import Redis

from api.settings import ApiSettings
from ledger.state import Log
from ledger.stops import keep_stops
from local.servers.ports import free_port
from local.servers.redis import RedisServer
from metering.account import Account
from metering.api_key import key_hash, make_api_key
from metering.partition import partition_of
from metering.stop import Stop, StopReason
from tests.api.calling import DAILY, NOW, PERIODS, PORTAL, USAGE, assert_problem, bearer, calling, settings_of, totals
from tests.api.folded import AS_OF_MS, PARTITIONS, Folded, folding


async def test_nothing_is_answered_before_the_shards_are_ready(api: httpx.AsyncClient, unready: Folded) -> None:
    """Given a key whose shard is being folded, it does not read as unknown."""
    key = await unready.key("acme")
    for path in (USAGE, PORTAL, DAILY, PERIODS):
        answer = await api.get(path, headers=bearer(key))
        assert_problem(answer, 503, "not_ready")
        assert answer.headers["retry-after"] == "1"


async def test_the_key_and_the_account_may_live_on_different_shards(api: httpx.AsyncClient, unready: Folded) -> None:
    """Given that only one of the two shards is ready, it is still too early."""
    key = await unready.key("acme")
    while partition_of(key_hash(key), PARTITIONS) == partition_of("acme", PARTITIONS):
        key = await unready.key("acme")
    await unready.use("acme", "sms.send", 2, NOW)
    await unready.ready(partition_of(key_hash(key), PARTITIONS))
    assert_problem(await api.get(USAGE, headers=bearer(key)), 503, "not_ready")
    await unready.ready(partition_of("acme", PARTITIONS))
    assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 2}


async def test_readyz_says_how_many_shards_are_missing(api: httpx.AsyncClient, unready: Folded) -> None:
    """Given some shards ready, the probe fails and counts the others; given all, it succeeds."""
    await unready.ready(0)
    answer = await api.get("/readyz")
    assert_problem(answer, 503, "not_ready")
    assert answer.json()["detail"] == "3 of 4 shards are not ready."
    assert (await api.get("/healthz")).json() == {"status": "ok"}
    await unready.ready()
    ready = await api.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


async def test_readyz_wants_totals_to_be_fresh(settings: ApiSettings, folded: Folded) -> None:
    """Given shards that nobody folds any more, the probe fails once they lag by more than the setting."""
    late = AS_OF_MS / 1000 + settings.fresh_seconds
    async with calling(settings, now=lambda: late) as api:
        assert (await api.get("/readyz")).status_code == 200
    async with calling(settings, now=lambda: late + 1) as api:
        await folded.ready(1, as_of_ms=int(late * 1000))
        answer = await api.get("/readyz")
        assert_problem(answer, 503, "not_ready")
        assert answer.json()["detail"] == "3 of 4 shards are not fresh."


async def test_readyz_does_not_wait_for_a_person(settings: ApiSettings, folded: Folded) -> None:
    """Given a stopped shard, fresh or not, the process stays in service: nobody would profit."""
    late = AS_OF_MS / 1000 + settings.fresh_seconds + 1
    stop = Stop(StopReason.UNREADABLE_BATCH, 0, 1, "usage.events-3 can't be read at 0", AS_OF_MS)
    async with calling(settings, now=lambda: late) as api:
        await folded.ready(0, 1, 2, as_of_ms=int(late * 1000))
        assert (await api.get("/readyz")).json()["detail"] == "1 of 4 shards are not fresh."

        await keep_stops(folded.ledger.shard(3), [Log.USAGE], {Log.USAGE: stop})
        assert (await api.get("/readyz")).status_code == 200


async def test_a_redis_that_is_away(redis_prefix: str) -> None:
    """Given nothing at Redis's address, every read is a 503, and the process still lives."""
    settings = settings_of(f"redis://127.0.0.1:{free_port()}/0", redis_prefix)
    key = make_api_key(lambda alphabet: alphabet[0])
    async with calling(settings) as api:
        for path in (USAGE, DAILY, PERIODS, "/readyz"):
            answer = await api.get(path, headers=bearer(key))
            assert_problem(answer, 503, "store_unavailable")
            assert answer.headers["retry-after"] == "5"
        assert (await api.get("/healthz")).status_code == 200


async def test_a_restarted_redis_is_read_again_once_it_is_marked(own_redis: RedisServer) -> None:
    """Given a server that stops and comes back, the same process says so and goes on by itself."""
    settings = settings_of(own_redis.url, "t:")
    async with calling(settings) as api:
        async with folding(own_redis.url, "t:") as folded:
            key = await folded.key("acme")
            await folded.account("acme", Account())
            await folded.use("acme", "sms.send", 2, NOW)
            await folded.ready()
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 2}

        own_redis.stop()
        assert_problem(await api.get(USAGE, headers=bearer(key)), 503, "store_unavailable")
        own_redis.start()
        assert_problem(await api.get(USAGE, headers=bearer(key)), 503, "not_ready")
        async with folding(own_redis.url, "t:") as folded:
            await folded.ready()
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 2}


async def test_a_flush_shows_no_smaller_total(own_redis: RedisServer) -> None:
    """Given a flushed server, the account gets 503, and not a total of 0."""
    settings = settings_of(own_redis.url, "t:")
    async with calling(settings) as api, folding(own_redis.url, "t:") as folded:
        key = await folded.key("acme")
        await folded.use("acme", "sms.send", 2, NOW)
        await folded.ready()
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 2}
        async with Redis.from_url(own_redis.url) as client:
            await client.flushall()
        assert_problem(await api.get(USAGE, headers=bearer(key)), 503, "not_ready")
