"""One installation for the whole tour."""

import uuid
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient

from local.servers.redis import embedded_redis
from tests.stripe_double.served import Host
from tests.support.platform import Platform


@pytest.fixture(scope="session")
def platform(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """Topics, a Redis and a Stripe double of its own, and the three services."""
    directory = tmp_path_factory.mktemp("tour")
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    server = embedded_redis(directory / "redis")
    server.start()
    try:
        with Host().running() as host, host.serving() as stripe:
            platform = Platform(kafka_bootstrap, server.url, prefix, stripe, directory)
            try:
                platform.boot()
                yield platform
            finally:
                platform.stop()
    finally:
        server.kill()
        kafka_admin.delete_topics([each for each in kafka_admin.list_topics() if each.startswith(prefix)])
