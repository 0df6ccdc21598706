"""A house per test, on the shared Kafka and Redis, and a Stripe double of its own."""

from collections.abc import AsyncIterator

import pytest
from kafka import KafkaAdminClient

from stripe_sync.meters import create_missing
from tests.stripe_double.served import Served

from .house import House, a_house


@pytest.fixture
async def house(
    kafka_bootstrap: str,
    kafka_admin: KafkaAdminClient,
    topic_prefix: str,
    redis_url: str,
    redis_prefix: str,
    double: Served,
) -> AsyncIterator[House]:
    """One shard, whose push log's past the test writes."""
    await create_missing(double.client())
    redis = redis_url, redis_prefix
    async with a_house(kafka_bootstrap, kafka_admin, topic_prefix, redis, double.url) as house:
        yield house
