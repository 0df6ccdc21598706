"""The compacted logs, on a real Kafka."""

import pytest
from kafka import KafkaConsumer, TopicPartition

from metering.partition import partition_of
from ops.errors import OpsError
from ops.table_log import read_records, write_records
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics


@pytest.fixture
def settings(kafka_bootstrap: str, topic_prefix: str) -> KafkaSettings:
    """Of the test's own topics, which exist."""
    settings = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=3)
    create_topics(settings)
    return settings


def test_the_last_value_of_each_key_is_read(settings: KafkaSettings) -> None:
    """Over all partitions; a tombstone removes."""
    topic = TopicNames(settings.topic_prefix).accounts
    write_records(settings, topic, {f"account-{number}": b"old" for number in range(20)})
    write_records(settings, topic, {"account-1": b"new", "account-2": None})
    records = read_records(settings, topic)
    assert records == {f"account-{number}": b"old" for number in range(20) if number != 2} | {"account-1": b"new"}


def test_an_empty_log_is_an_empty_table(settings: KafkaSettings) -> None:
    """Nothing is waited for."""
    assert read_records(settings, TopicNames(settings.topic_prefix).api_keys) == {}


def test_each_record_lies_where_its_shard_looks_for_it(settings: KafkaSettings) -> None:
    """On its key's partition, at the place that is returned."""
    topic = TopicNames(settings.topic_prefix).accounts
    (place,) = write_records(settings, topic, {"account-7": b"value"})
    assert place.partition == partition_of("account-7", 3)
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    consumer.assign([TopicPartition(topic, place.partition)])
    consumer.seek(TopicPartition(topic, place.partition), place.offset)
    assert next(consumer).key == b"account-7"
    consumer.close()


def test_a_missing_topic_is_said(settings: KafkaSettings) -> None:
    """With what makes it."""
    with pytest.raises(OpsError, match="billing topics"):
        read_records(settings, f"{settings.topic_prefix}missing")
