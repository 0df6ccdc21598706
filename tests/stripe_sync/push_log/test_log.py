"""What a push log promises: the same tests run on the one in memory and on the one in Kafka."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import pytest
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from confluent_kafka import Producer

from runtime.topics import TopicNames, create_topics
from stripe_sync.process.group import group_consumer
from stripe_sync.process.service import _producer
from stripe_sync.push_log.log import Entry, KafkaPushLog, PushLog, Read
from stripe_sync.settings import StripeSyncSettings
from tests.ledger_push.counts import NOON
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.memory_log import MemoryPushLog
from tests.support.eventually import eventually_async

SHARDS = 3


async def read_all(log: PushLog, shard: int, start: int, end: int) -> list[Entry]:
    """Reads until `end`, as a folder does."""
    entries: list[Entry] = []
    while start < end:
        found, start = await log.read(shard, start, end)
        entries += found
    return entries


async def append(log: PushLog, shard: int, *values: bytes) -> None:
    """Appends one after the other."""
    for value in values:
        await log.append(shard, value)


def values(entries: list[Entry]) -> list[bytes | None]:
    """Their bytes."""
    return [entry.value for entry in entries]


class Stranger(Protocol):
    """Somebody else's transaction on shard 1: one record, which is never committed."""

    async def begin(self) -> None:
        """The record is written."""
        ...

    async def abort(self) -> None:
        """It is over."""
        ...


@pytest.mark.timeout(60)
class PushLogContract:
    """Holds for every implementation; a subclass has `log`, empty, with `SHARDS` shards, and `stranger`."""

    async def test_a_transaction_holds_up_what_follows_and_leaves_offsets_without_records(
        self, log: PushLog, stranger: Stranger
    ) -> None:
        """Its record and its end are nobody's to read; who reads on comes to the end all the same, also from there."""
        await append(log, 1, b"0")
        await stranger.begin()
        await append(log, 1, b"2")
        assert await log.bounds(1) == (0, 1, 3)
        assert values(await read_all(log, 1, 0, 1)) == [b"0"]

        await stranger.abort()

        async def is_over() -> bool:
            return await log.bounds(1) == (0, 4, 4)

        await eventually_async(is_over, what="the end of the transaction")
        for start, expected in ((0, [b"0", b"2"]), (1, [b"2"]), (3, [])):
            assert values(await read_all(log, 1, start, 4)) == expected
        assert values(await read_all(log, 1, 0, 2)) == [b"0"]
        assert values(await read_all(log, 1, 2, 3)) == [b"2"]

    async def test_an_empty_shard_begins_and_ends_at_0(self, log: PushLog) -> None:
        """Nothing to read, and reading nothing is no error."""
        assert await log.bounds(1) == (0, 0, 0)
        assert await log.read(1, 0, 0) == Read([], 0)

    async def test_what_is_appended_is_read_in_order(self, log: PushLog) -> None:
        """With offsets that follow one another, as the appends gave them, and append times that never go back."""
        assert [await log.append(1, str(number).encode()) for number in range(10)] == list(range(10))
        assert await log.bounds(1) == (0, 10, 10)
        entries = await read_all(log, 1, 0, 10)
        assert [(entry.offset, entry.value) for entry in entries] == [(n, str(n).encode()) for n in range(10)]
        times = [entry.append_ms for entry in entries]
        assert times == sorted(times)
        assert times[0] >= NOON * 1000 - 366 * 24 * 3600 * 1000

    async def test_shards_are_apart(self, log: PushLog) -> None:
        """A shard has its own records only, however the reads of several are mixed."""
        for number in range(5):
            await append(log, 0, b"a%d" % number)
            await append(log, 2, b"c%d" % number)
        found = await asyncio.gather(*(read_all(log, shard, 0, end) for shard, end in ((0, 5), (1, 0), (2, 5))))
        assert values(found[0]) == [b"a0", b"a1", b"a2", b"a3", b"a4"]
        assert found[1] == []
        assert values(found[2]) == [b"c0", b"c1", b"c2", b"c3", b"c4"]

    async def test_nothing_beyond_the_end_is_read(self, log: PushLog) -> None:
        """A record that was appended after the end was observed is left for later, and found then."""
        await append(log, 1, b"0", b"1", b"2", b"3")
        assert values(await read_all(log, 1, 0, 2)) == [b"0", b"1"]
        assert await log.read(1, 2, 2) == Read([], 2)
        assert values(await read_all(log, 1, 2, 3)) == [b"2"]
        assert values(await read_all(log, 1, 3, 4)) == [b"3"]

    async def test_reading_may_go_back_and_forth(self, log: PushLog) -> None:
        """After Redis lost state a shard is folded from an earlier offset again."""
        await append(log, 1, *(str(number).encode() for number in range(8)))
        assert values(await read_all(log, 1, 5, 8)) == [b"5", b"6", b"7"]
        assert values(await read_all(log, 1, 0, 3)) == [b"0", b"1", b"2"]
        assert values(await read_all(log, 1, 7, 8)) == [b"7"]

    async def test_a_reader_at_the_end_sees_what_is_appended_then(self, log: PushLog) -> None:
        """Idle reads in between change nothing."""
        await append(log, 1, b"0")
        assert values(await read_all(log, 1, 0, 1)) == [b"0"]
        assert await log.read(1, 1, 1) == Read([], 1)
        await append(log, 1, b"1")
        assert await log.read(1, 1, 1) == Read([], 1)
        end = (await log.bounds(1)).stable
        assert values(await read_all(log, 1, 1, end)) == [b"1"]

    async def test_a_cancelled_read_spoils_nothing(self, log: PushLog) -> None:
        """Whoever reads next gets everything."""
        await append(log, 1, *(str(number).encode() for number in range(6)))
        for delay in range(8):
            task = asyncio.create_task(log.read(1, 0, 6))
            for _ in range(delay):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert len(await read_all(log, 1, 0, 6)) == 6

    async def test_appends_at_once_all_arrive(self, log: PushLog) -> None:
        """In some order, each once."""
        await asyncio.gather(*(log.append(1, b"%d" % number) for number in range(30)))
        found = values(await read_all(log, 1, 0, 30))
        assert sorted(found, key=str) == sorted((b"%d" % number for number in range(30)), key=str)


@dataclass
class MemoryStranger:
    """Holds the log in memory."""

    log: MemoryPushLog

    async def begin(self) -> None:
        """Begins."""
        self.log.hold(1)

    async def abort(self) -> None:
        """Ends."""
        self.log.let_go(1)


class TestMemoryPushLog(PushLogContract):
    """The one that the tests of the worker use."""

    @pytest.fixture
    def log(self) -> PushLog:
        """An empty one."""
        return MemoryPushLog(ManualClock())

    @pytest.fixture
    def stranger(self, log: MemoryPushLog) -> Stranger:
        """Of a transaction in memory."""
        return MemoryStranger(log)


class Assigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells when the group has given out its partitions."""

    def __init__(self) -> None:
        self.partitions: asyncio.Future[set[TopicPartition]] = asyncio.get_running_loop().create_future()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Of no interest."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Here they are."""
        if not self.partitions.done():
            self.partitions.set_result(assigned)


class KafkaStranger:
    """A transactional producer."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": prefix})
        self._topic = TopicNames(prefix).pushes

    async def begin(self) -> None:
        """Begins."""
        await asyncio.to_thread(self._begin)

    def _begin(self) -> None:
        self._producer.init_transactions(20)
        self._producer.begin_transaction()
        self._producer.produce(self._topic, b"never committed", partition=1)
        assert self._producer.flush(20) == 0

    async def abort(self) -> None:
        """Ends."""
        await asyncio.to_thread(self._producer.abort_transaction, 20)


class TestKafkaPushLog(PushLogContract):
    """The one that the service uses, with the service's own consumer and producer."""

    @pytest.fixture
    def stranger(self, kafka_bootstrap: str, topic_prefix: str) -> Stranger:
        """Of a transaction in Kafka."""
        return KafkaStranger(kafka_bootstrap, topic_prefix)

    @pytest.fixture
    async def log(self, kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[PushLog]:
        """On topics of its own."""
        settings = StripeSyncSettings(
            kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=SHARDS, namespace="tests"
        )
        await asyncio.to_thread(create_topics, settings)
        consumer, producer = group_consumer(settings), _producer(settings)
        topic = TopicNames(topic_prefix).pushes
        await producer.start()
        await consumer.start()
        try:
            assigned = Assigned()
            consumer.subscribe([topic], listener=assigned)
            assert len(await assigned.partitions) == SHARDS
            yield KafkaPushLog(topic, consumer, producer)
        finally:
            await consumer.stop()
            await producer.stop()
