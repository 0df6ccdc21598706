"""The client's thread over a real log with something in it that can't be read: where a chain ends, and goes on."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiokafka import TopicPartition
from faust.types import TP
from kafka import KafkaAdminClient
from prometheus_client import CollectorRegistry

from aggregator.faust_adapter import fetch_thread
from aggregator.faust_adapter.app import create_app
from aggregator.faust_adapter.fetch_thread import BatchThread
from aggregator.liveness import Liveness
from aggregator.metrics import AggregatorMetrics
from aggregator.partition_batch import ChainLink, PartitionBatch
from aggregator.settings import AggregatorSettings
from metering.counting import Mark, mark_of
from metering.stop import StopReason
from runtime.async_consumer import AsyncConsumer
from runtime.unpacking import MAX_UNPACKED_BYTES
from tests.support import raw_batches
from tests.support.eventually import eventually_async

# One record, which unpacks to more than a batch may: the broker takes it, and nobody should read it.
BOMB = raw_batches.batch([raw_batches.record(0, b"key", bytes(MAX_UNPACKED_BYTES))], 1, gzip.compress)


@dataclass
class Reading:
    """A thread whose client has two partitions: a bomb lies in the first."""

    thread: BatchThread
    client: AsyncConsumer
    bad: TP
    good: TP

    async def begin(self, tp: TP, offset: int, generation: int, last: Mark | None = None) -> None:
        """A new chain."""
        await self.thread._begin({tp: ChainLink(offset, generation, last)})

    async def next(self, tp: TP) -> PartitionBatch:
        """What comes next of a partition; others' batches are dropped."""

        async def read() -> PartitionBatch | None:
            batches = await self.thread._fetch_records(self.client, {self.bad, self.good}, timeout=0.2, max_records=100)
            return batches.get(tp)

        found = await eventually_async(read, what=f"a batch of {tp}")
        assert found is not None
        return found


def three() -> bytes:
    """A batch of three records."""
    return raw_batches.batch([raw_batches.record(place, b"key", b"value") for place in range(3)])


@pytest.fixture
async def reading(kafka_bootstrap: str, topic_prefix: str, kafka_admin: KafkaAdminClient) -> AsyncIterator[Reading]:
    """Both chains begin at 0."""
    settings = AggregatorSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix)
    app = create_app(settings, Liveness(), AggregatorMetrics(CollectorRegistry()))
    topic = f"{topic_prefix}usage.events"
    kafka_admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}})
    written = [(0, three()), (0, BOMB), (0, three()), (1, three()), (1, three())]
    assert await raw_batches.write(kafka_bootstrap, topic, written) == [0, 3, 4, 0, 3]

    async def ignore(*_: object) -> None:
        """What Faust would do."""

    consumer = app.transport.create_consumer(ignore, on_partitions_revoked=ignore, on_partitions_assigned=ignore)
    consumer.flow_active = True
    thread = consumer._new_consumer_thread()
    client = thread._consumer = thread._create_worker_consumer(app.transport)
    await client.start()
    bad, good = TP(topic, 0), TP(topic, 1)
    client.assign([TopicPartition(*bad), TopicPartition(*good)])
    reading = Reading(thread, client, bad, good)
    for tp in (bad, good):
        await reading.begin(tp, 0, 1)
    yield reading
    await client.stop()


async def test_a_chain_ends_before_what_can_not_be_read(reading: Reading) -> None:
    """Its last interval says why, where, and how a person passes it by; nothing more is read of it then."""
    bad, good = reading.bad, reading.good

    batch = await reading.next(bad)
    assert [record.offset for record in batch.interval.records] == [0, 1, 2]
    assert (batch.interval.start, batch.interval.end, batch.generation) == (0, 3, 1)
    fault = batch.fault
    assert fault is not None
    assert (fault.reason, fault.offset, fault.end) == (StopReason.UNREADABLE_BATCH, 3, 4)
    assert f"{bad.topic}-0: the batch at offset 3 can't be read: its gzip data unpacks to more than" in str(fault)
    assert "`billing quarantine 0 3 --why" in str(fault)

    assert reading.client.paused() == {TopicPartition(*bad)}
    assert bad not in reading.thread.chains.links
    await reading.begin(good, 0, 2)
    assert (await reading.next(good)).interval.end == 6


async def test_what_was_met_is_met_again_until_the_shard_stands_behind_it(reading: Reading) -> None:
    """A chain that begins behind it is read on, whatever its mark says of the record before."""
    bad = reading.bad
    last = mark_of((await reading.next(bad)).interval.records[-1])

    await reading.begin(bad, 3, 2, last)
    again = await reading.next(bad)
    assert (again.interval.start, again.interval.end, list(again.interval.records)) == (3, 3, [])
    assert again.fault is not None
    assert (again.fault.offset, again.fault.end) == (3, 4)

    for generation, mark in ((3, last), (4, Mark(3, 0, 0)), (5, None)):  # the second lies in what can't be read
        await reading.begin(bad, 4, generation, mark)
        passed = await reading.next(bad)
        assert (passed.interval.start, passed.interval.end, passed.fault) == (4, 7, None)
        assert [record.offset for record in passed.interval.records] == [4, 5, 6]


async def test_a_reader_that_is_always_slow_gets_on(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its reads take, a batch that takes long to be refused among them: each is compared and given."""
    monkeypatch.setattr(fetch_thread, "AWAY_SECONDS", 0.0)

    batch = await reading.next(reading.bad)
    assert batch.fault is not None
    assert (batch.interval.end, batch.fault.offset) == (3, 3)
    await reading.begin(reading.good, 0, 2)
    for _ in range(2):
        batch = await reading.next(reading.good)
        if batch.interval.end == 6:
            break
    assert batch.interval.end == 6
