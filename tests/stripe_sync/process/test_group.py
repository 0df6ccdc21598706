"""The consumer group: who works on which shard."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.topics import TopicNames, create_topics
from stripe_sync.process.group import group_consumer
from stripe_sync.process.service import _producer
from stripe_sync.push_log.log import KafkaPushLog
from stripe_sync.settings import StripeSyncSettings
from tests.stripe_sync.push_log.test_log import Assigned
from tests.support.eventually import eventually_async

LONG_AGO = 3600.0  # seconds


@pytest.fixture
async def settings(kafka_bootstrap: str, topic_prefix: str) -> StripeSyncSettings:
    """Topics with one shard."""
    settings = StripeSyncSettings(
        kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=1, namespace="tests"
    )
    await asyncio.to_thread(create_topics, settings)
    return settings


@pytest.fixture
async def member(settings: StripeSyncSettings) -> AsyncIterator[Callable[[], AIOKafkaConsumer]]:
    """Makes members of the group; they leave after the test."""
    made: list[AIOKafkaConsumer] = []

    def make() -> AIOKafkaConsumer:
        made.append(group_consumer(settings))
        return made[-1]

    yield make
    for consumer in made:
        await consumer.stop()


async def joined(consumer: AIOKafkaConsumer, settings: StripeSyncSettings) -> set[TopicPartition]:
    """Starts a member and gives its shards."""
    await consumer.start()
    assigned = Assigned()
    consumer.subscribe([TopicNames(settings.topic_prefix).pushes], listener=assigned)
    return await assigned.partitions


async def test_a_member_without_a_shard_takes_over_however_long_it_waited(
    settings: StripeSyncSettings, member: Callable[[], AIOKafkaConsumer]
) -> None:
    """It has nothing to read, for hours, and is still there when the other one goes."""
    first, second = member(), member()
    await joined(first, settings)
    await joined(second, settings)
    await eventually_async(lambda: given_out(first, second))
    working, waiting = (first, second) if first.assignment() else (second, first)
    waiting._subscription._last_fetch_ended = time.monotonic() - LONG_AGO
    heard = asyncio.get_running_loop().time() + 3  # a heartbeat takes two seconds
    await eventually_async(lambda: reached(heard))
    await working.stop()
    await eventually_async(lambda: owns(waiting), what="the shard taken over")


async def given_out(first: AIOKafkaConsumer, second: AIOKafkaConsumer) -> bool:
    """One has the shard, the other nothing."""
    return bool(first.assignment()) != bool(second.assignment())


async def reached(moment: float) -> bool:
    """It is that late."""
    return asyncio.get_running_loop().time() >= moment


async def owns(consumer: AIOKafkaConsumer) -> bool:
    """It has the shard."""
    return bool(consumer.assignment())


async def test_a_rebalance_in_the_middle_of_a_read_spoils_nothing(
    settings: StripeSyncSettings, member: Callable[[], AIOKafkaConsumer]
) -> None:
    """A read waits for records while another member comes and goes; afterwards everything is read from the start."""
    consumer, producer = member(), _producer(settings)
    await joined(consumer, settings)
    await producer.start()
    try:
        log = KafkaPushLog(TopicNames(settings.topic_prefix).pushes, consumer, producer)
        await log.append(0, b"0")
        reading = asyncio.create_task(log.read(0, 1, 2))
        other = member()
        await joined(other, settings)
        await other.stop()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await eventually_async(lambda: owns(consumer))
        log.forget(0)
        await log.append(0, b"1")
        assert await log.bounds(0) == (0, 2, 2)
        values: list[bytes | None] = []
        async with asyncio.timeout(10):
            while len(values) < 2:
                values += [entry.value for entry in (await log.read(0, len(values), 2)).entries]
        assert values == [b"0", b"1"]
    finally:
        await producer.stop()
