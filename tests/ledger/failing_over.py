"""A master, its replica, and the address under which clients know whichever of them is the master."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from local.servers.redis import RedisServer, embedded_redis
from tests.support.eventually import eventually
from tests.support.switchboard import Switchboard, switchboard


@dataclass
class Pair:
    """Two servers; `board` leads to the master."""

    master: RedisServer
    replica: RedisServer
    board: Switchboard

    def attach(self) -> None:
        """Makes the one a replica of the other, and waits until it is in step."""
        with redis.Redis.from_url(self.master.url) as master, redis.Redis.from_url(self.replica.url) as replica:
            replica.replicaof("127.0.0.1", self.master.port)
            eventually(lambda: replica.info("replication")["master_link_status"] == "up")
            master.set("in-step", 1)
            eventually(lambda: replica.get("in-step"))

    def swap(self) -> None:
        """A failover, as of a managed server: the replica is promoted, the old master lives on as its replica.

        New connections are led to the new master; those that are open stay where they are.
        """
        with redis.Redis.from_url(self.replica.url) as replica:
            replica.replicaof("NO", "ONE")
        self.master, self.replica = self.replica, self.master
        self.attach()
        self.board.lead_new_to(self.master.port)


@asynccontextmanager
async def failing_over(first: RedisServer, directory: Path) -> AsyncIterator[Pair]:
    """A pair whose master is `first`, in step; the other one keeps its data in `directory`."""
    second = embedded_redis(directory)
    try:
        second.start()
        for server in (first, second):
            with redis.Redis.from_url(server.url) as client:
                client.config_set("repl-diskless-sync-delay", 0)
        async with switchboard(first.port) as board:
            pair = Pair(first, second, board)
            pair.attach()
            yield pair
    finally:
        second.kill()
