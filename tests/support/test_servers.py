"""The choice of the tests' own servers, and that the chosen ones work."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from tests.support import docker_engine
from tests.support.eventually import eventually
from tests.support.servers import choose


def never_asked() -> bool:
    """A Docker engine that must not be asked."""
    raise AssertionError("Docker was asked")


def test_named_servers_come_first() -> None:
    """With both variables set, Docker is not even asked."""
    environ = {"BILLING_TEST_KAFKA": "127.0.0.1:1", "BILLING_TEST_REDIS_URL": "redis://127.0.0.1:2/0"}
    sources = choose(environ, docker_answers=never_asked)
    assert str(sources) == "Kafka: environment (127.0.0.1:1); Redis: environment (redis://127.0.0.1:2/0)"


@pytest.mark.parametrize(("docker", "kind"), [(True, "docker"), (False, "embedded")])
def test_docker_comes_before_the_embedded_servers(docker: bool, kind: str) -> None:
    """Without variables it is Docker's servers when an engine answers, else the embedded ones."""
    sources = choose({}, docker_answers=lambda: docker)
    assert (sources.kafka.kind, sources.redis.kind) == (kind, kind)


def test_each_server_is_chosen_by_itself() -> None:
    """A named Kafka does not decide where Redis comes from."""
    sources = choose({"BILLING_TEST_KAFKA": "127.0.0.1:1"}, docker_answers=lambda: False)
    assert (sources.kafka.kind, sources.redis.kind) == ("environment", "embedded")


def test_production_variables_are_not_read() -> None:
    """A shell set up for a running system never lends its servers to the tests."""
    environ = {"BILLING_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "BILLING_REDIS_URL": "redis://127.0.0.1:2/0"}
    sources = choose(environ, docker_answers=lambda: False)
    assert (sources.kafka.kind, sources.redis.kind) == ("embedded", "embedded")


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path fits a Unix socket's 108 bytes."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.mark.timeout(30)
def test_a_silent_docker_socket_is_no_docker(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that accepts and never answers costs seconds, not the run; nor does one that is not there."""
    path = short_directory / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert not docker_engine.answers()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        assert not docker_engine.answers()


def test_the_chosen_kafka_works(kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic_prefix: str) -> None:
    """A topic can be made and seen through the address that the tests are given."""
    kafka_admin.create_topics([NewTopic(f"{topic_prefix}a", num_partitions=2, replication_factor=1)])
    with KafkaAdminClient(bootstrap_servers=kafka_bootstrap) as other:
        # The controller answers before the broker that is asked has heard of the topic.
        eventually(lambda: f"{topic_prefix}a" in other.list_topics(), what="the topic to be seen")


def test_the_chosen_redis_works(redis_url: str, redis_prefix: str) -> None:
    """A key can be written and read through the URL that the tests are given, and nothing is ever evicted."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set(f"{redis_prefix}a", "1")
        assert client.get(f"{redis_prefix}a") == "1"
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
