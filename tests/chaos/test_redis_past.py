"""A Redis whose append-only file is cut comes back as it was some time ago."""

import redis

from local.servers.redis import RedisServer
from tests.chaos.redis_past import RedisPast
from tests.support.eventually import eventually


def set_moment(client: redis.Redis, moment: int) -> None:
    """Sets a value, and waits until the file has it: while the disk is busy the server keeps a write for later."""
    client.set("moment", moment)
    eventually(lambda: client.info("persistence")["aof_buffer_length"] == 0, what="the write to the file")


def test_a_cut_file_is_an_older_state(own_redis: RedisServer) -> None:
    """Given lengths noted at 1 and 2, a server set back to 1.5 has what it had at 1, and goes on from there."""
    past = RedisPast(own_redis.data)
    with redis.Redis.from_url(own_redis.url) as client:
        for moment in (1, 2):
            set_moment(client, moment)
            past.note(moment)
        set_moment(client, 3)
    own_redis.kill()

    assert past.cut(1.5) > 0
    own_redis.start()

    with redis.Redis.from_url(own_redis.url) as client:
        assert client.get("moment") == b"1"
        client.set("moment", 4)
        assert client.get("moment") == b"4"


def test_nothing_is_cut_before_anything_was_noted(own_redis: RedisServer) -> None:
    """Given no note, nothing is lost."""
    assert RedisPast(own_redis.data).cut(1.0) == 0
