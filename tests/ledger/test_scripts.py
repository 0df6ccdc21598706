"""The Lua scripts as such: what they may touch, and a server that has forgotten them."""

import asyncio
import re
from hashlib import sha1
from importlib.resources import files

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from ledger.batching_store import BatchingStore
from ledger.keys import ShardKeys
from ledger.redis_store import RedisStore
from ledger.script import READY, load
from ledger.shard import Ledger
from ledger.state import Log, open_shard, read_state
from local.servers.redis import RedisServer

SOURCES = {
    path.name.removesuffix(".lua"): path.read_text()
    for folder in ("scripts", "guards")
    for path in files("ledger").joinpath(folder).iterdir()
}
KEYLESS = {("INFO", "'replication"), ("INFO", "'memory"), ("SCAN", "ARGV"), ("UNLINK", "unpack")}
CALL = re.compile(r"redis\.(\w+)\('(\w+)',\s*('?\w+)")


@pytest.mark.parametrize("name", SOURCES)
def test_a_script_touches_declared_keys_only(name) -> None:
    """Redis Cluster demands it: the first thing every command is given comes from KEYS."""
    source = SOURCES[name]
    calls = CALL.findall(source)

    assert calls or "KEYS[" not in source
    assert source.count("redis.") == len(calls)
    for function, command, first in calls:
        assert function == "call"
        assert first == "KEYS" or (command, first) in KEYLESS, (command, first)
    assert "'UNLINK', unpack(" not in source.replace("'UNLINK', unpack(KEYS", "")


@pytest.mark.parametrize("name", SOURCES)
def test_a_script_is_short_and_says_what_its_arguments_are(name) -> None:
    """Median 15 lines; the longest is the usage fold."""
    source = SOURCES[name]

    assert source.startswith("-- ")
    assert "KEYS: " in source or "KEYS[" not in source
    assert len(source.splitlines()) <= 70


def test_only_what_may_be_lost_at_any_time_expires_by_the_servers_clock() -> None:
    """Sessions, attempts, uses, hints, notices, beats; all that is counted or claimed goes by its log's time."""
    expiring = {name for name, source in SOURCES.items() if "EXPIRE'" in source or "'EX'" in source}

    assert expiring == {"beat", "count_attempt", "find_caller", "leave_hint", "open_session", "post_notices"}


def test_guards_stand_before_the_script_in_their_order() -> None:
    """Each may use what those before it have found out."""
    assert load("find_key", READY).source == SOURCES["master"] + SOURCES["ready"] + SOURCES["find_key"]


def test_a_script_is_called_by_the_hash_of_its_source() -> None:
    """As the server computes it."""
    script = load("apply_usage")

    assert script.sha == sha1(script.source.encode(), usedforsecurity=False).hexdigest()


def test_all_keys_of_a_shard_live_in_one_slot() -> None:
    """And those of different shards in different ones; a copy under another prefix shares nothing."""
    keys = ShardKeys("copy:", 11)
    names = {
        *(keys.fences, keys.due, keys.due_order, keys.in_flight, keys.parked, keys.held, keys.accounts, keys.api_keys),
        *(keys.aside, keys.aside_records),
        *(keys.hours("a:b.c-d_e", 20_624), keys.days("a", "202606"), keys.accepted("a", 5), keys.remembered(7, 255)),
    }

    assert len(names) == 14
    assert {key_slot(name.encode()) for name in names} == {key_slot(b"p11")}
    assert all(name.startswith("copy:{p11}") for name in names)
    assert ShardKeys("", 1).fences != ShardKeys("", 11).fences


def test_names_of_keys_never_change() -> None:
    """Pinned: another name would begin at zero."""
    keys = ShardKeys("x:", 3)

    assert keys.hours("acme", 20_624) == "x:{p3}u:acme:20624"
    assert keys.days("acme", "202606") == "x:{p3}t:acme:202606"
    assert keys.remembered(2946, 17) == "x:{p3}d:2946:17"
    assert (keys.fences, keys.due, keys.due_order) == ("x:{p3}f", "x:{p3}due", "x:{p3}due:order")


async def test_a_server_that_has_forgotten_a_script_is_given_it_again(own_redis: RedisServer) -> None:
    """SCRIPT FLUSH, a restart, a failover: the caller notices nothing."""
    async with Redis.from_url(own_redis.url) as client:
        shard = Ledger(RedisStore(client), "", 1).shard(0)
        await open_shard(shard, Log.USAGE, earliest=4, incarnation="one")

        await client.script_flush()
        assert (await read_state(shard)).fences == {Log.USAGE: 4}

        await client.connection_pool.disconnect()
        own_redis.stop()
        own_redis.start()
        assert (await read_state(shard)).fences == {Log.USAGE: 4}


READERS = {"find_account", "find_key", "is_ready", "read_usage", "read_history", "read_state", "read_status"}
WRITERS = {"apply_usage", "fold_table", "find_caller", "count_attempt", "open_session", "take_hints", "mark_ready"}


def test_what_writes_nothing_is_known_as_such() -> None:
    """By what it calls, so that nobody has to remember it."""
    assert all(load(name).read_only for name in READERS)
    assert not any(load(name).read_only for name in WRITERS)


@pytest.mark.parametrize("kind", [RedisStore, BatchingStore])
async def test_a_reading_script_is_sent_so_that_it_could_not_write(own_redis: RedisServer, kind: type) -> None:
    """By the commands that take no writing script, whether the server knows it already or not; others as ever."""
    async with Redis.from_url(own_redis.url) as client:
        shard = Ledger(kind(client), "", 1).shard(0)
        await open_shard(shard, Log.USAGE, earliest=4, incarnation="one")
        await client.config_resetstat()
        await asyncio.gather(*(read_state(shard) for _ in range(20)))
        await open_shard(shard, Log.USAGE, earliest=4, incarnation="one")
        calls = await client.info("commandstats")
    assert {name for name in calls if "eval" in name} == {"cmdstat_eval_ro", "cmdstat_evalsha_ro", "cmdstat_evalsha"}
