"""The processes' consumer on a broker whose disk has spoiled a batch."""

from collections.abc import Sequence

from aiokafka import TopicPartition
from kafka import KafkaAdminClient

from local.servers.kafka import KafkaServer
from runtime.async_consumer import AsyncConsumer
from tests.support import raw_batches
from tests.support.damage import damage
from tests.support.eventually import eventually_async

SPOILED, WELL = TopicPartition("log", 0), TopicPartition("log", 1)


def one(value: bytes) -> bytes:
    """A batch of one record."""
    return raw_batches.batch([raw_batches.record(0, b"key", value)])


def shortened(raw: bytearray) -> bytearray:
    """A length in its header that nobody can go on from, not even the broker."""
    raw[8:12] = (5).to_bytes(4, "big")
    return raw


class Reader:
    """What a consumer has given so far."""

    def __init__(self, consumer: AsyncConsumer) -> None:
        self._consumer = consumer
        self.offsets: dict[TopicPartition, list[int]] = {SPOILED: [], WELL: []}

    async def has(self, spoiled: Sequence[int], well: Sequence[int]) -> bool:
        """Reads on; whether it has given exactly this."""
        for place, records in (await self._consumer.getmany(timeout_ms=100)).items():
            self.offsets[place] += [record.offset for record in records]
        return self.offsets == {SPOILED: list(spoiled), WELL: list(well)}


async def test_a_spoiled_batch_holds_up_its_own_log_until_it_is_mended(own_kafka: KafkaServer) -> None:
    """Whether the reader meets it behind others, or asks the broker for it; the next seek tries again."""
    bootstrap = own_kafka.bootstrap_servers
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics({"log": {"num_partitions": 2, "replication_factor": 1}})
    batches = [(place.partition, one(b"%d" % number)) for place in (SPOILED, WELL) for number in range(3)]
    await raw_batches.write(bootstrap, "log", batches)
    mend = damage(own_kafka, "log", 0, 1, shortened)

    async with AsyncConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([SPOILED, WELL])
        reader = Reader(consumer)
        await eventually_async(lambda: reader.has([0], [0, 1, 2]))
        met = consumer.unreadable[SPOILED]
        assert (met.start, met.end) == (1, None)
        assert "it is not whole" in str(met)

        consumer.seek(SPOILED, 1)
        assert not consumer.unreadable

        async def is_met_again() -> bool:
            return await reader.has([0], [0, 1, 2]) and SPOILED in consumer.unreadable

        await eventually_async(is_met_again)
        assert "the broker itself fails to (CORRUPT_MESSAGE)" in str(consumer.unreadable[SPOILED])
        assert consumer.paused() == {SPOILED}

        mend()
        consumer.seek(SPOILED, 1)
        await eventually_async(lambda: reader.has([0, 1, 2], [0, 1, 2]))
