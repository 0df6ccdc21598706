"""Runs the real aggregator as a child process, and reads its progress from the conservation counters in Redis."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psutil
from redis import Redis

from bench.servers import Servers
from ledger.keys import ShardKeys
from local.servers.process import Command, ServerProcess
from runtime.settings import KafkaSettings

CATCH_UP_SECONDS = 300.0  # seconds until everything must be counted
_FATES = ("read", "counted", "duplicate", "ready")


class ProcessReading(NamedTuple):
    """The counters at a time (`at`, monotonic seconds): records read by shard; counted and duplicate in total."""

    at: float
    read: tuple[int, ...]
    counted: int
    duplicate: int
    ready: int

    @property
    def total(self) -> int:
        """Returns the records read of all shards."""
        return sum(self.read)


class ProcessCounters:
    """Reads the conservation counters of all shards at once."""

    def __init__(self, redis: Redis, partitions: int, prefix: str = "") -> None:
        self._redis = redis
        self._keys = [ShardKeys(prefix, number).fences for number in range(partitions)]

    def now(self) -> ProcessReading:
        """Returns the present counters."""
        pipeline = self._redis.pipeline(transaction=False)
        for key in self._keys:
            pipeline.hmget(key, _FATES)
        replies: Sequence[Sequence[bytes | None]] = pipeline.execute()
        read, counted, duplicate = (tuple(int(reply[at] or 0) for reply in replies) for at in range(3))
        ready = sum(reply[3] is not None for reply in replies)
        return ProcessReading(time.monotonic(), read, sum(counted), sum(duplicate), ready)

    def watch(self, every: float, total: int) -> Iterator[ProcessReading]:
        """Yields readings, `every` seconds, until `total` records were read; also the last one."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while True:
            reading = self.now()
            yield reading
            if reading.total >= total:
                return
            if reading.at > deadline:
                raise RuntimeError(f"{reading.total} of {total} records after {CATCH_UP_SECONDS:g} s")
            time.sleep(every)

    def wait_ready(self) -> ProcessReading:
        """Returns the first reading with all shards ready for readers."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while (reading := self.now()).ready < len(self._keys):
            if reading.at > deadline:
                raise RuntimeError(f"{reading.ready} shards ready after {CATCH_UP_SECONDS:g} s")
            time.sleep(0.02)
        return reading


@contextmanager
def running_aggregator(servers: Servers, settings: KafkaSettings) -> Iterator[psutil.Process]:
    """Runs `python -m aggregator` while the context lasts."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")} | {
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "BILLING_TOPIC_PREFIX": settings.topic_prefix,
        "BILLING_PARTITIONS": str(settings.partitions),
        "BILLING_REDIS_URL": servers.redis_url,
    }
    log = servers.directory / f"aggregator{settings.topic_prefix}.log"
    process = ServerProcess("aggregator", Command([sys.executable, "-m", "aggregator"], log, env))
    try:
        process.spawn()
        yield psutil.Process(process.pid)
    finally:
        process.kill()


def cpu_seconds(process: psutil.Process) -> float:
    """Returns the processor time that a process has used, in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)
