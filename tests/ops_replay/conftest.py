"""One platform for all tests of this folder."""

import uuid
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient

from local.servers.redis import embedded_redis
from ops.settings import TableSettings
from runtime.topics import create_topics
from tests.ops_replay.house import PARTITIONS, House


@pytest.fixture(scope="session")
def house(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """Topics of its own, a Redis of its own that a test may flush, an aggregator that runs."""
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
    house = House(settings, env)
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
