"""An old master that lives on as a replica refuses writes, and comes back with the promoted one's state."""

import pytest
import redis

from local.servers.redis import RedisServer
from tests.chaos.demotion import Demotion
from tests.support.eventually import eventually


def test_what_was_written_since_the_copy_is_lost(own_redis: RedisServer) -> None:
    """Given a copy that was promoted, the demoted master has what the copy had, and a new replication id in the end."""
    demotion = Demotion(own_redis.url)
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("moment", 1)
        before = client.info("replication")["master_replid"]
        demotion.promote_copy()
        client.set("moment", 2)

        demotion.demote()
        eventually(lambda: client.info("replication")["master_link_status"] == "up", what="the replica")
        with pytest.raises(redis.exceptions.ReadOnlyError):
            client.set("moment", 3)
        assert client.get("moment") == b"1"
        demotion.end()

        client.set("after", 1)
        assert client.get("moment") == b"1"
        assert client.info("replication")["role"] == "master"
        assert client.info("replication")["master_replid"] != before


def test_nothing_is_left_of_a_copy_that_fails(own_redis: RedisServer) -> None:
    """Given a master that is down, there is an error, and the way back is no second one."""
    own_redis.kill()
    demotion = Demotion(own_redis.url)

    with pytest.raises(redis.RedisError):
        demotion.end()
