"""Runs the measured servers, one process each, and measures the resources that they use."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis

from bench.aggregator_process import cpu_seconds
from bench.api.fill import PARTITIONS
from local.servers.ports import free_port
from local.servers.process import Command, ServerProcess

ANSWER_SECONDS = 1.0
_CALLS = ("evalsha", "evalsha_ro", "eval", "eval_ro")  # scripts
_BEAT = "set"  # that an API is there is said by a script, which alone calls this here: no request needs it


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server."""

    url: str
    process: psutil.Process


@contextmanager
def running_api(redis_url: str, log: Path) -> Iterator[Serving]:
    """Runs `python -m api` without a rate limit while the context lasts."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")} | {
        "BILLING_REDIS_URL": redis_url,
        "BILLING_PARTITIONS": str(PARTITIONS),
        "BILLING_RATE_LIMIT": "0",
        "BILLING_HTTP_PORT": str(port),
    }
    with _running("api", Command([sys.executable, "-m", "api"], log, env), port) as serving:
        yield serving


@contextmanager
def running_constant(log: Path) -> Iterator[Serving]:
    """Runs the reference while the context lasts."""
    port = free_port()
    command = Command([sys.executable, "-m", "bench.api.constant", str(port)], log)
    with _running("the reference", command, port) as serving:
        yield serving


@contextmanager
def _running(name: str, command: Command, port: int) -> Iterator[Serving]:
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=ANSWER_SECONDS):  # noqa: S310 - our own
                return True
        except (urllib.error.URLError, OSError):
            return False

    process = ServerProcess(name, command, answers)
    try:
        process.start()
        yield Serving(url, psutil.Process(process.pid))
    finally:
        process.kill()


@dataclass(frozen=True, slots=True)
class Used:
    """The resources used up to a time: processor seconds of a server and of Redis; scripts and trips of Redis.

    A trip is one read by Redis from a connection, with any number of commands.
    """

    server: float
    redis: float
    scripts: int
    trips: int

    def since(self, before: "Used") -> "Used":
        """Returns the resources used between two times."""
        return Used(
            self.server - before.server,
            self.redis - before.redis,
            self.scripts - before.scripts,
            self.trips - before.trips - 1,  # the reading itself, in one trip
        )


def used(serving: Serving, redis: Redis) -> Used:
    """Returns the resources used up to now."""
    pipeline = redis.pipeline(transaction=False)
    for section in ("cpu", "commandstats", "stats"):
        pipeline.info(section)
    cpu, commands, stats = pipeline.execute()

    def calls_of(*names: str) -> int:
        return sum(commands.get(f"cmdstat_{name}", {}).get("calls", 0) for name in names)

    seconds = cpu["used_cpu_user"] + cpu["used_cpu_sys"]
    return Used(
        cpu_seconds(serving.process), seconds, calls_of(*_CALLS) - calls_of(_BEAT), stats["total_reads_processed"]
    )
