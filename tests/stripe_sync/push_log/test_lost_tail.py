"""A power cut takes acknowledged records of the push log, under a running worker: real Kafka, the worker's own clients.

Without a second replica Kafka acknowledges what is not on the disk yet.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from local.servers.kafka import KafkaServer
from metering.push_log import Settled, Settlement, encode
from runtime.async_consumer import AsyncConsumer
from runtime.topics import TopicNames, create_topics
from stripe_sync.errors import PushLogLostError
from stripe_sync.process.service import _producer
from stripe_sync.push_log.folder import PushFolder
from stripe_sync.push_log.log import KafkaPushLog
from stripe_sync.settings import StripeSyncSettings
from tests.ledger_push.counts import NOON
from tests.ledger_push.rows import name_of, prepared, row
from tests.stripe_sync.world import World

T = TypeVar("T")
TOPIC = TopicNames().pushes
DELIVERED = encode(Settled(settlements=(Settlement(identifier=name_of(row(0, 10))),)))


@dataclass
class PowerCut:
    """A broker with one push log, and who works on it."""

    kafka: KafkaServer
    folder: PushFolder
    other: KafkaPushLog

    def strike(self) -> None:
        """Kills the broker; what its page cache had of the log is gone."""
        self.kafka.kill()
        for path in Path(self.kafka.data, "log", f"{TOPIC}-0").iterdir():
            if path.suffix == ".log":
                os.truncate(path, 0)
            elif path.suffix in {".index", ".timeindex", ".snapshot"} or "leader-epoch" in path.name:
                path.unlink()

    async def fold(self) -> None:
        """To the end, however long the broker takes."""
        while await until_it_works(self.folder.fold_to_end) is None:
            pass

    async def append(self) -> None:
        """The next record of the worker's own."""
        await until_it_works(lambda: self.folder.append(DELIVERED))

    async def append_elsewhere(self) -> None:
        """A record of somebody else."""
        await until_it_works(lambda: self.other.append(0, DELIVERED))


async def until_it_works(call: Callable[[], Awaitable[T]]) -> T:
    """As a worker does that is started anew while Kafka is away."""
    while True:
        try:
            return await call()
        except KafkaError:
            await asyncio.sleep(0.05)


@pytest.fixture
async def power(own_kafka: KafkaServer, world: World) -> AsyncIterator[PowerCut]:
    """A worker's clients on a broker of the test's own; ten units are counted."""
    world.counts.use("a", "sms.send", 10, NOON)
    await world.counts.fold()
    settings = StripeSyncSettings(kafka_bootstrap_servers=own_kafka.bootstrap_servers, partitions=1, namespace="tests")
    await asyncio.to_thread(create_topics, settings)
    async with AsyncExitStack() as closing:
        consumer = AsyncConsumer(
            bootstrap_servers=own_kafka.bootstrap_servers, auto_offset_reset="none", enable_auto_commit=False
        )
        own, other = _producer(settings), _producer(settings)
        for client in (consumer, own, other):
            await client.start()
            closing.push_async_callback(client.stop)
        consumer.assign([TopicPartition(TOPIC, 0)])
        folder = PushFolder(world.shard(), KafkaPushLog(TOPIC, consumer, own), world.clock, lambda: "worker")
        yield PowerCut(own_kafka, folder, KafkaPushLog(TOPIC, consumer, other))


@pytest.mark.timeout(110)
@pytest.mark.parametrize("whose", ["own", "another's"])
async def test_the_worker_stops_before_it_does_anything_upon_what_is_lost(power: PowerCut, whose: str) -> None:
    """Its own next append tells, or another's record in the place of the one that it has folded."""
    await power.folder.append(encode(prepared(row(0, 10))))
    await power.fold()
    power.strike()
    power.kafka.start()
    if whose == "own":
        with pytest.raises(PushLogLostError, match="the offset 0, though it had reached 1"):
            await power.append()
        return
    for _ in range(2):
        await power.append_elsewhere()
    with pytest.raises(PushLogLostError, match="record 0 is another"):
        await power.fold()
