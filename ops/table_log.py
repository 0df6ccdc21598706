"""The compacted logs, accounts and API keys: writing to them, and reading them whole."""

from collections.abc import Mapping
from typing import NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from metering.partition import partition_of
from ops.errors import OpsError
from runtime.kafka import sync_options
from runtime.settings import KafkaSettings

ACKNOWLEDGE_SECONDS = 15.0
READ_POLL_MS = 200
IDLE_POLLS = 75  # 15 s without progress


class Place(NamedTuple):
    """Where a record came to lie in its topic."""

    partition: int
    offset: int


def write_records(settings: KafkaSettings, topic: str, records: Mapping[str, bytes | None]) -> list[Place]:
    """Appends records, each to its key's partition, acknowledged by every in-sync replica; None: a tombstone.

    Raises:
        OpsError: Kafka did not take them all; those that it took stay.
    """
    try:
        producer = KafkaProducer(acks="all", **sync_options(settings))
        try:
            sent = [
                producer.send(topic, key=key.encode(), value=value, partition=partition_of(key, settings.partitions))
                for key, value in records.items()
            ]
            acknowledged = [each.get(timeout=ACKNOWLEDGE_SECONDS) for each in sent]
        finally:
            producer.close()
    except KafkaError as error:
        raise _away(settings, topic, error) from error
    return [Place(each.partition, each.offset) for each in acknowledged]


def read_records(settings: KafkaSettings, topic: str) -> dict[str, bytes]:
    """The topic read to its end: the last value of each key, without those that a tombstone removed.

    Raises:
        OpsError: Kafka does not answer, or the topic is missing.
    """
    options = {"isolation_level": "read_committed", "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    try:
        consumer = KafkaConsumer(**options, **sync_options(settings))
        try:
            return _fold(consumer, topic, settings)
        finally:
            consumer.close()
    except KafkaError as error:
        raise _away(settings, topic, error) from error


def _fold(consumer: KafkaConsumer, topic: str, settings: KafkaSettings) -> dict[str, bytes]:
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    if not partitions:
        raise OpsError(f"Kafka at {settings.kafka_bootstrap_servers} has no topic {topic}: run `billing topics`")
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    table: dict[str, bytes] = {}
    idle = 0
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        batches = consumer.poll(timeout_ms=READ_POLL_MS)
        idle = 0 if batches else idle + 1
        if idle > IDLE_POLLS:
            raise OpsError(f"Kafka at {settings.kafka_bootstrap_servers} stopped answering while {topic} was read")
        for record in (record for batch in batches.values() for record in batch):
            _apply(table, record.key, record.value)
    return table


def _apply(table: dict[str, bytes], key: bytes | None, value: bytes | None) -> None:
    if not key:
        return  # not a record of a table: the aggregator makes it a dead letter
    name = key.decode(errors="replace")
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value


def _away(settings: KafkaSettings, topic: str, error: KafkaError) -> OpsError:
    return OpsError(
        f"Kafka at {settings.kafka_bootstrap_servers} does not serve {topic} ({error}): does it run there, and has "
        "`billing topics` been run?"
    )
