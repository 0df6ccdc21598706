"""Surroundings for the commands: a push log that the test writes, a platform that counts, a whole installation."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from kafka import KafkaAdminClient

from local.servers.redis import embedded_redis
from ops.logs.settings import TableSettings
from runtime.topics import create_topics
from stripe_sync.stripe_api.meters import create_missing
from tests.ops.installation import ACCOUNTS, System
from tests.ops.push_log_house import PushLogHouse, a_house
from tests.ops.replay_house import PARTITIONS, ReplayHouse
from tests.stripe_double.served import Served
from tests.support.eventually import eventually


@pytest.fixture
async def push_log_house(
    kafka_bootstrap: str,
    kafka_admin: KafkaAdminClient,
    topic_prefix: str,
    redis_url: str,
    redis_prefix: str,
    double: Served,
) -> AsyncIterator[PushLogHouse]:
    """One shard with a push log whose past the test writes."""
    await create_missing(double.client())
    redis = redis_url, redis_prefix
    async with a_house(kafka_bootstrap, kafka_admin, topic_prefix, redis, double.url) as house:
        yield house


@pytest.fixture(scope="session")
def replay_house(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReplayHouse]:
    """Its own topics, its own Redis that a test may flush, and a running aggregator."""
    directory = tmp_path_factory.mktemp("house")
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    server = embedded_redis(directory / "redis")
    server.start()
    env = {
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "BILLING_TOPIC_PREFIX": prefix,
        "BILLING_PARTITIONS": str(PARTITIONS),
        "BILLING_REDIS_URL": server.url,
    }
    settings = TableSettings(
        kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=prefix, partitions=PARTITIONS, redis_url=server.url
    )
    house = ReplayHouse(settings, env)
    try:
        create_topics(settings)
        house.start(directory / "aggregator.log")
        house.wait_folded()
        yield house
    finally:
        for process in house.aggregators:
            process.kill()
            process.wait()
        kafka_admin.delete_topics([each for each in kafka_admin.list_topics() if each.startswith(prefix)])
        server.kill()


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
    eventually(lambda: not booted.troubles(), what="a status that needs nobody")
