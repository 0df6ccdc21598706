"""Runs the benchmark's own Kafka and Redis, like `billing up`, in a directory that is deleted afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from local.servers.kafka import embedded_kafka
from local.servers.kafka_files import default_cache
from local.servers.redis import embedded_redis

PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers' addresses, and a directory for the logs of their clients."""

    kafka: str
    redis_url: str
    directory: Path


@contextmanager
def running_servers(under: Path) -> Iterator[Servers]:
    """Runs both servers while the context lasts."""
    under.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=under) as name:
        directory = Path(name)
        kafka = embedded_kafka(directory / "kafka", default_cache())
        redis = embedded_redis(directory / "redis")
        try:
            redis.start()
            kafka.start()
            yield Servers(kafka.bootstrap_servers, redis.url, directory)
        finally:
            kafka.kill()
            redis.kill()
