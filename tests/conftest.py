"""Servers and prefixes for every test.

`kafka_bootstrap` and `redis_url` are shared by the whole run and started only when a test asks for them, or by the
controller for all its workers where the run is spread over processes (pytest-xdist); what a test makes there carries
its `topic_prefix` or `redis_prefix` and is deleted after it. A test that flushes, stops or kills a server takes one
of its own: `own_redis`, `own_kafka`.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from hypothesis import HealthCheck, settings
from kafka import KafkaAdminClient
from xdist.workermanage import WorkerController

from local.servers.kafka import KafkaServer, embedded_kafka
from local.servers.redis import RedisServer, embedded_redis
from tests.support.servers import JAR_CACHE, Source, Sources, choose, fetch, running_kafka, running_redis

pytest_plugins = ["tests.support.served_double"]

# How long an example takes says how busy the machine is, not whether a property holds.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

SOURCES = pytest.StashKey[Sources]()
ADDRESSES = pytest.StashKey[tuple[str, str]]()  # of Kafka and Redis, once they run


def pytest_configure(config: pytest.Config) -> None:
    """Choose the servers, without starting any. A worker process of a spread run is told what its controller chose."""
    told = getattr(config, "workerinput", {}).get("servers")
    config.stash[SOURCES] = Sources(*(Source("shared", address) for address in told)) if told else choose(os.environ)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which servers are used."""
    return f"servers: {config.stash[SOURCES]}"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what the collected tests need, before the first test's time-out runs."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    _fetch(
        session.config,
        kafka="kafka_bootstrap" in wanted,
        own_kafka="own_kafka" in wanted,
        redis="redis_url" in wanted,
    )


def _fetch(config: pytest.Config, *, kafka: bool, own_kafka: bool, redis: bool) -> None:
    """Bring what the servers need; say so if that changes the choice."""
    chosen = config.stash[SOURCES]
    config.stash[SOURCES] = fetch(chosen, kafka=kafka, own_kafka=own_kafka, redis=redis)
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if config.stash[SOURCES] != chosen and reporter is not None:
        reporter.write_line(f"servers: {config.stash[SOURCES]}")


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """The controller of a spread run starts the shared servers, once for all workers."""
    _fetch(config, kafka=True, own_kafka=True, redis=True)
    servers, sources = ExitStack(), config.stash[SOURCES]
    config.add_cleanup(servers.close)
    directory = Path(servers.enter_context(TemporaryDirectory(prefix="billing-tests-")))
    config.stash[ADDRESSES] = (
        servers.enter_context(running_kafka(sources.kafka, directory / "kafka")),
        servers.enter_context(running_redis(sources.redis, directory / "redis")),
    )


def pytest_configure_node(node: WorkerController) -> None:
    """Tell a worker where the shared servers are."""
    node.workerinput["servers"] = node.config.stash[ADDRESSES]


@pytest.fixture(scope="session")
def kafka_bootstrap(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a Kafka broker that the whole run shares."""
    with running_kafka(pytestconfig.stash[SOURCES].kafka, tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def kafka_admin(kafka_bootstrap: str) -> Iterator[KafkaAdminClient]:
    """An admin client of the shared broker."""
    with KafkaAdminClient(bootstrap_servers=kafka_bootstrap) as admin:
        yield admin


@pytest.fixture
def topic_prefix(kafka_admin: KafkaAdminClient) -> Iterator[str]:
    """A prefix that no other test has, for topics and consumer groups; its topics are deleted after the test."""
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    yield prefix
    topics = [topic for topic in kafka_admin.list_topics() if topic.startswith(prefix)]
    if topics:
        kafka_admin.delete_topics(topics)


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that the whole run shares: not to be flushed."""
    with running_redis(pytestconfig.stash[SOURCES].redis, tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def redis_prefix(redis_url: str) -> Iterator[str]:
    """A prefix that no other test has, for keys; they are deleted after the test."""
    prefix = f"test-{uuid.uuid4().hex[:12]}:"
    yield prefix
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"{prefix}*", count=1_000):
            client.unlink(key)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """An embedded Redis of the test's own, running: to flush, stop, kill and start again."""
    server = embedded_redis(tmp_path / "redis")
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """An embedded Kafka of the test's own, running: to stop, kill and start again. It takes 4 s to start."""
    server = embedded_kafka(tmp_path / "kafka", JAR_CACHE)
    try:
        server.start()
        yield server
    finally:
        server.kill()
