"""What the folds of the aggregator stand on: a shard in the shared Redis, and a publisher in memory."""

from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from aggregator.folds.usage import UsageFold, UsageTopics
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from metering.partition import partition_of
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.unreliable import UnreliableStore
from tests.metering.events import NOON_MS

PARTITIONS = 3
HOME = partition_of("acme", PARTITIONS)
LATER_MS = NOON_MS + 200 * 86_400_000  # after anything that a test appends
ELSEWHERE = next(f"other-{n}" for n in range(50) if partition_of(f"other-{n}", PARTITIONS) != HOME)


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the shared Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def store(client: Redis) -> UnreliableStore:
    """Redis, and what may go wrong on the way to it."""
    return UnreliableStore(RedisStore(client))


@pytest.fixture
def shard(store: UnreliableStore, redis_prefix: str) -> Shard:
    """The shard of the account `acme`."""
    return Ledger(store, redis_prefix, PARTITIONS).shard(HOME)


@pytest.fixture
def publisher() -> MemoryPublisher:
    """What is written to Kafka."""
    return MemoryPublisher()


@pytest.fixture
def usage_fold(shard: Shard, publisher: MemoryPublisher) -> UsageFold:
    """The usage fold of that shard."""
    return make_usage_fold(shard, publisher)


def make_usage_fold(
    shard: Shard,
    publisher: MemoryPublisher,
    incarnation: str = "one",
    now_ms: Callable[[], int] = lambda: LATER_MS,
) -> UsageFold:
    """A usage fold, on a clock that is ahead of every record."""
    topics = UsageTopics("usage", "dead")
    return UsageFold(shard, topics, PARTITIONS, publisher, lambda: incarnation, now_ms=now_ms)
