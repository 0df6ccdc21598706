"""The Lua scripts as such: what they may touch, and a server that has forgotten them."""

import re
from hashlib import sha1
from importlib.resources import files

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from ledger.keys import ShardKeys
from ledger.redis_store import RedisStore
from ledger.script import load
from ledger.shard import Ledger
from ledger.state import Log, open_shard, read_state
from local.servers.redis import RedisServer

SCRIPTS = sorted(path.name.removesuffix(".lua") for path in files("ledger").joinpath("scripts").iterdir())
CALL = re.compile(r"redis\.(\w+)\('(\w+)',\s*('?\w+)")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_touches_declared_keys_only(name) -> None:
    """Redis Cluster demands it: the first thing every command is given comes from KEYS."""
    source = load(name).source
    calls = CALL.findall(source)

    assert calls
    assert source.count("redis.") == len(calls)
    for function, command, first in calls:
        assert function == "call"
        assert first == "KEYS" or (command, first) in {("INFO", "'replication"), ("UNLINK", "unpack")}, (command, first)
    assert "'UNLINK', unpack(" not in source.replace("'UNLINK', unpack(KEYS", "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_short_and_says_what_its_arguments_are(name) -> None:
    """Median 15 lines; the longest is the usage fold."""
    source = load(name).source

    assert "-- KEYS" in source or " KEYS: " in source
    assert len(source.splitlines()) <= 70


def test_a_script_is_called_by_the_hash_of_its_source() -> None:
    """As the server computes it."""
    script = load("apply_usage")

    assert script.sha == sha1(script.source.encode(), usedforsecurity=False).hexdigest()


def test_all_keys_of_a_shard_live_in_one_slot() -> None:
    """And those of different shards in different ones; a copy under another prefix shares nothing."""
    keys = ShardKeys("copy:", 11)
    names = {
        *(keys.fences, keys.due, keys.due_order, keys.in_flight, keys.parked, keys.held, keys.accounts, keys.api_keys),
        *(keys.hours("a:b.c-d_e", 20_624), keys.days("a", "202606"), keys.accepted("a", 5), keys.remembered(7, 255)),
    }

    assert len(names) == 12
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
