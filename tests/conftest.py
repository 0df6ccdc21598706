"""Servers and prefixes for every test.

`kafka_bootstrap` and `redis_url` are shared by the whole run and started only when a test asks for them, or by the
controller for all its workers where the run is spread over processes (pytest-xdist); what a test makes there carries
its `topic_prefix` or `redis_prefix` and is deleted after it. A test that flushes, stops or kills a server takes one
of its own: `own_redis`, `own_kafka`.

Clients and servers are imported by the fixtures that use them: one pure test is red or green in a second.
"""

import os
import signal
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.support.servers import JAR_CACHE, Source, Sources, choose, fetch, running_kafka, running_redis

if TYPE_CHECKING:
    from kafka import KafkaAdminClient
    from xdist.workermanage import WorkerController

    from local.servers.kafka import KafkaServer
    from local.servers.redis import RedisServer

pytest_plugins = ["tests.support.served_double"]

NEEDY = frozenset(
    {
        "kafka_bootstrap",
        "redis_url",
        "own_kafka",
        "own_redis",
        "double_host",
        "machine",
        "private_redis",
        "stack",
        "page",
    }
)
"""Fixtures that start a server, or a browser: what asks for one is marked `servers`."""

SOURCES = pytest.StashKey[Sources]()
ADDRESSES = pytest.StashKey[tuple[str, str]]()  # of Kafka and Redis, once they run


def pytest_configure(config: pytest.Config) -> None:
    """A worker process of a spread run is told where the servers are, which its controller has started.

    Ctrl-C works: a suite that a script has started in the background would ignore it, and so would all of its children.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    told = getattr(config, "workerinput", {}).get("servers")
    if told:
        config.stash[SOURCES] = Sources(*(Source("shared", address) for address in told))


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makemodule(module_path: Path) -> Generator[None, object, object]:
    """Before a module is imported that has properties, tell Hypothesis how the tests want it."""
    if b"hypothesis" in module_path.read_bytes():
        from tests.support import properties

        properties.register()
    return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, a browser or a process of its own, by the fixtures that it asks for."""
    for item in items:
        if not NEEDY.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what the collected tests need, before the first test's time-out runs."""
    if session.config.option.collectonly or not any(item.get_closest_marker("servers") for item in session.items):
        return
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    _fetch(
        session.config,
        kafka="kafka_bootstrap" in wanted,
        own_kafka="own_kafka" in wanted,
        redis="redis_url" in wanted,
    )


def _fetch(config: pytest.Config, *, kafka: bool, own_kafka: bool, redis: bool) -> None:
    """Choose the servers, bring what they need, and say which they are."""
    chosen = config.stash.get(SOURCES, None) or choose(os.environ)
    config.stash[SOURCES] = fetch(chosen, kafka=kafka, own_kafka=own_kafka, redis=redis)
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"servers: {config.stash[SOURCES]}")


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """The controller of a spread run starts the shared servers, once for all workers; none for tests that need none."""
    if config.option.markexpr == "not servers":
        return
    _fetch(config, kafka=True, own_kafka=True, redis=True)
    servers, sources = ExitStack(), config.stash[SOURCES]
    config.add_cleanup(servers.close)
    directory = Path(servers.enter_context(TemporaryDirectory(prefix="billing-tests-")))
    config.stash[ADDRESSES] = (
        servers.enter_context(running_kafka(sources.kafka, directory / "kafka")),
        servers.enter_context(running_redis(sources.redis, directory / "redis")),
    )


def pytest_configure_node(node: "WorkerController") -> None:
    """Tell a worker where the shared servers are."""
    node.workerinput["servers"] = node.config.stash.get(ADDRESSES, None)


@pytest.fixture(scope="session")
def kafka_bootstrap(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a Kafka broker that the whole run shares."""
    with running_kafka(pytestconfig.stash[SOURCES].kafka, tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def kafka_admin(kafka_bootstrap: str) -> "Iterator[KafkaAdminClient]":
    """An admin client of the shared broker."""
    from kafka import KafkaAdminClient

    with KafkaAdminClient(bootstrap_servers=kafka_bootstrap) as admin:
        yield admin


@pytest.fixture
def topic_prefix(kafka_admin: "KafkaAdminClient") -> Iterator[str]:
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
    import redis

    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"{prefix}*", count=1_000):
            client.unlink(key)


@pytest.fixture
def own_redis(tmp_path: Path) -> "Iterator[RedisServer]":
    """An embedded Redis of the test's own, running: to flush, stop, kill and start again."""
    from local.servers.redis import embedded_redis

    server = embedded_redis(tmp_path / "redis")
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def own_kafka(tmp_path: Path) -> "Iterator[KafkaServer]":
    """An embedded Kafka of the test's own, running: to stop, kill and start again. It takes 4 s to start."""
    from local.servers.kafka import embedded_kafka

    server = embedded_kafka(tmp_path / "kafka", JAR_CACHE)
    try:
        server.start()
        yield server
    finally:
        server.kill()
