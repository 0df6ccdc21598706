"""A bare aiokafka consumer with the aggregator's settings."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from aggregator.faust_adapter.app import BATCH_RECORDS, FETCH_BYTES
from bench.task import Task


async def start_consumer(task: Task) -> AIOKafkaConsumer:
    """Starts a consumer that reads all partitions from their beginning, without a group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=task.bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=BATCH_RECORDS,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    places = [TopicPartition(task.topic, number) for number in range(task.partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    return consumer
