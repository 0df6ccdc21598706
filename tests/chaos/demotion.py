"""A failover whose old master lives on: it becomes a replica of the one that was promoted, with its clients connected.

The stack knows one address, so the promoted server stays beside it, and its state comes back when the old master is
promoted in turn: what was written since the copy was taken is lost, as with any replica that lagged.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.servers.redis import RedisServer, embedded_redis
from tests.support.eventually import eventually

ANSWER_SECONDS = 2.0
COPY_SECONDS = 3.0


class Demotion:
    """One failover, and the way back."""

    def __init__(self, master_url: str) -> None:
        self._address = urlsplit(master_url)
        self._closing = ExitStack()
        self._other: RedisServer | None = None

    def promote_copy(self) -> None:
        """Another server takes a copy of the master, and is a master from then on: it lags from now on.

        Raises:
            redis.RedisError, AssertionError: the master does not answer; nothing was done.
        """
        try:
            directory = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="billing-demotion-"))
            other = self._other = embedded_redis(Path(directory))
            self._closing.callback(other.kill)
            other.start()
            with _client(self._address.geturl()) as master, _client(other.url) as client:
                for server in (master, client):  # by itself a master waits some seconds for further replicas
                    server.config_set("repl-diskless-sync-delay", 0)
                client.replicaof(self._address.hostname, self._address.port)
                copied = lambda: client.info("replication")["master_link_status"] == "up"  # noqa: E731
                eventually(copied, COPY_SECONDS, "the copy")
                client.replicaof("NO", "ONE")
        except BaseException:
            self._closing.close()
            raise

    def demote(self) -> None:
        """The old master is a replica of the promoted one."""
        assert self._other is not None
        with _client(self._address.geturl()) as client:
            client.replicaof("127.0.0.1", self._other.port)

    def end(self) -> None:
        """The old master is promoted with what it was given, and the other server ends.

        Raises:
            redis.RedisError: it does not answer; if it was killed, it comes back as a master by itself.
        """
        try:
            with _client(self._address.geturl()) as client:
                client.replicaof("NO", "ONE")
        finally:
            self.close()

    def close(self) -> None:
        """The other server ends, if it runs."""
        self._closing.close()


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0))
