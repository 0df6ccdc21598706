"""What a push log promises: the same tests run on the one in memory and on the one in Kafka."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from runtime.topics import TopicNames, create_topics
from stripe_sync.group import group_consumer
from stripe_sync.log import Entry, KafkaPushLog, PushLog
from stripe_sync.service import _producer
from stripe_sync.settings import StripeSyncSettings
from tests.ledger_push.counts import NOON

from .manual_clock import ManualClock
from .memory_log import MemoryPushLog

SHARDS = 3


async def read_all(log: PushLog, shard: int, start: int, end: int) -> list[Entry]:
    """Reads until `end`, as a folder does."""
    entries: list[Entry] = []
    while start < end:
        found = await log.read(shard, start, end)
        if found:
            entries += found
            start = found[-1].offset + 1
    return entries


async def append(log: PushLog, shard: int, *values: bytes) -> None:
    """Appends one after the other."""
    for value in values:
        await log.append(shard, value)


def values(entries: list[Entry]) -> list[bytes | None]:
    """Their bytes."""
    return [entry.value for entry in entries]


@pytest.mark.timeout(60)
class PushLogContract:
    """Holds for every implementation; a subclass gives the fixture `log`, empty, with `SHARDS` shards."""

    async def test_an_empty_shard_begins_and_ends_at_0(self, log: PushLog) -> None:
        """Nothing to read, and reading nothing is no error."""
        assert await log.bounds(1) == (0, 0)
        assert await log.read(1, 0, 0) == []

    async def test_what_is_appended_is_read_in_order(self, log: PushLog) -> None:
        """With offsets that follow one another, and append times that never go back."""
        await append(log, 1, *(str(number).encode() for number in range(10)))
        assert await log.bounds(1) == (0, 10)
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
        assert await log.read(1, 2, 2) == []
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
        assert await log.read(1, 1, 1) == []
        await append(log, 1, b"1")
        assert await log.read(1, 1, 1) == []
        _, end = await log.bounds(1)
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


class TestMemoryPushLog(PushLogContract):
    """The one that the tests of the worker use."""

    @pytest.fixture
    def log(self) -> PushLog:
        """An empty one."""
        return MemoryPushLog(ManualClock())


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


class TestKafkaPushLog(PushLogContract):
    """The one that the service uses, with the service's own consumer and producer."""

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
