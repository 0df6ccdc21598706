"""One installation for all tests of the folder; each leaves it running and exact."""

import uuid
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient

from local.servers.redis import embedded_redis
from tests.ops_recovery.system import ACCOUNTS, System
from tests.support.eventually import eventually


@pytest.fixture(scope="session")
def booted(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """The installation, with some usage counted and billed."""
    directory = tmp_path_factory.mktemp("recovery")
    server = embedded_redis(directory / "redis")
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    try:
        server.start()
        system = System(kafka_bootstrap, server.url, prefix, directory)
        try:
            system.boot()
            system.publisher.publish(ACCOUNTS, 1000, duplicates=0.05, rejects=0.02)
            system.publisher.flush()
            system.expect_exact()
            yield system
        finally:
            system.end()
    finally:
        server.kill()
        kafka_admin.delete_topics([topic for topic in kafka_admin.list_topics() if topic.startswith(prefix)])


@pytest.fixture
def system(booted: System) -> Iterator[System]:
    """The installation; no worker may have ended."""
    yield booted
    running = booted.running()
    assert all(running.values()), {name: booted.log(name)[-3000:] for name, alive in running.items() if not alive}
    eventually(lambda: booted.billing("status").exit_code == 0, what="a status that needs nobody")
