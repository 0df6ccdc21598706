"""A Redis Cluster of one node with all slots: a client sees it like any cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from local.servers.ports import LOOPBACK, free_port
from local.servers.redis import RedisServer, find_redis
from tests.support.eventually import eventually

SLOTS = 16_384


@contextmanager
def one_node_cluster(directory: Path) -> Iterator[RedisServer]:
    """The node, running; started again it has its slots as before."""
    settings = {"cluster-enabled": "yes", "cluster-port": str(free_port())}
    node = RedisServer(data=directory, port=free_port(), binary=find_redis(), settings=settings)
    try:
        node.start()
        with redis.Redis.from_url(node.url) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
            eventually(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
        yield node
    finally:
        node.kill()


def cluster_url(node: RedisServer) -> str:
    """The URL for the platform's settings."""
    return f"redis+cluster://{LOOPBACK}:{node.port}/0"
