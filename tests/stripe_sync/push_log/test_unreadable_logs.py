"""What the Stripe worker makes of what can't be read: a shard's push log stops it, accounts are read around it."""

import asyncio
import gzip
from contextlib import AsyncExitStack

import pytest
from aiokafka import TopicPartition

from metering.account import Account
from metering.partition import partition_of
from runtime.async_consumer import AsyncConsumer
from runtime.kafka import async_options
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics
from runtime.unpacking import MAX_UNPACKED_BYTES
from stripe_sync.errors import UnreadablePushLogError
from stripe_sync.push_log.log import KafkaPushLog
from stripe_sync.shard.claims import Claims, ClaimsReader
from tests.support import raw_batches
from tests.support.eventually import eventually_async

SHARDS = 2
BOMB = raw_batches.batch([raw_batches.record(0, b"key", bytes(MAX_UNPACKED_BYTES))], 1, gzip.compress)


@pytest.fixture
async def settings(kafka_bootstrap: str, topic_prefix: str) -> KafkaSettings:
    """Of a platform that has its topics."""
    settings = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=SHARDS)
    await asyncio.to_thread(create_topics, settings)
    return settings


def one(key: bytes, value: bytes) -> bytes:
    """A batch of one record."""
    return raw_batches.batch([raw_batches.record(0, key, value)])


async def test_a_push_log_is_read_up_to_what_can_not_be_read(settings: KafkaSettings) -> None:
    """What is wrong with which batch is said then, at every attempt; the other shards' logs are read on."""
    topic = TopicNames(settings.topic_prefix).pushes
    logs = [(0, one(b"0", b"a")), (0, one(b"0", b"b")), (0, BOMB), (0, one(b"0", b"c")), (1, one(b"1", b"d"))]
    await raw_batches.write(settings.kafka_bootstrap_servers, topic, logs)
    async with AsyncConsumer(auto_offset_reset="none", **async_options(settings)) as consumer:
        consumer.assign([TopicPartition(topic, shard) for shard in range(SHARDS)])
        log = KafkaPushLog(topic, consumer, producer=None)

        async def read(shard: int, start: int, end: int) -> list[bytes | None]:
            return [entry.value for entry in (await log.read(shard, start, end)).entries]

        async def both() -> bool:
            return await read(0, 0, 4) == [b"a", b"b"]

        await eventually_async(both, what="what lies before")
        for _ in range(2):
            with pytest.raises(
                UnreadablePushLogError, match=rf"{topic}-0: the batch at offset 2 can't be read: its gzip"
            ):
                await eventually_async(lambda: read(0, 2, 4))
            log.forget(0)

        assert await eventually_async(lambda: read(1, 0, 1)) == [b"d"]
        assert await eventually_async(lambda: read(0, 3, 4)) == [b"c"]


async def test_claims_are_read_around_what_can_not_be_read(
    settings: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start and later: its own shard is not ready, and so bills nothing, until a person has decided."""
    names = [name for name in (f"acct-{number}" for number in range(99)) if partition_of(name, SHARDS) == 0][:3]
    first, second, third = (one(name.encode(), Account(customer=f"cus_{name}").to_json()) for name in names)
    topic, bootstrap = TopicNames(settings.topic_prefix).accounts, settings.kafka_bootstrap_servers
    await raw_batches.write(bootstrap, topic, [(0, first), (0, BOMB), (0, second)])
    claims = Claims(SHARDS)
    reader = ClaimsReader(topic, settings, claims)

    async def known() -> list[bool]:
        return [claims.is_sole(name, f"cus_{name}") for name in names]

    async def all_known() -> bool:
        return all(await known())

    async with AsyncExitStack() as closing:
        closing.push_async_callback(reader.stop)
        await reader.start()
        assert await known() == [True, True, False]
        running = asyncio.create_task(reader.run())
        closing.callback(running.cancel)
        await raw_batches.write(bootstrap, topic, [(0, BOMB), (0, third)])
        await eventually_async(all_known)

    told = [record.getMessage() for record in caplog.records if record.name == "stripe_sync.shard.claims"]
    assert [text.partition(" can't")[0] for text in told] == [
        f"{topic}-0: the batch at offset {offset}" for offset in (1, 3)
    ]
