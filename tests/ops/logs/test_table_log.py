"""The compacted logs, on a real Kafka."""

import gzip

import pytest
from kafka import KafkaConsumer, TopicPartition

from metering.partition import partition_of
from metering.quarantine import OrderKey, QuarantineOrder
from ops.console.errors import OpsError
from ops.logs.table_log import read_records, write_records
from runtime.record_batch import UnreadableBatchError
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics
from runtime.unpacking import MAX_UNPACKED_BYTES
from tests.support import raw_batches


@pytest.fixture
def settings(kafka_bootstrap: str, topic_prefix: str) -> KafkaSettings:
    """Of the test's own topics, which exist."""
    settings = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=3)
    create_topics(settings)
    return settings


def test_the_last_value_of_each_key_is_read(settings: KafkaSettings) -> None:
    """All partitions are read; a tombstone removes the key."""
    topic = TopicNames(settings.topic_prefix).accounts
    write_records(settings, topic, {f"account-{number}": b"old" for number in range(20)})
    write_records(settings, topic, {"account-1": b"new", "account-2": None})
    records = read_records(settings, topic)
    assert records == {f"account-{number}": b"old" for number in range(20) if number != 2} | {"account-1": b"new"}


def test_what_is_not_readable_changes_nothing(settings: KafkaSettings) -> None:
    """As in the fold, the earlier record stays until another record or a tombstone comes."""
    topic = TopicNames(settings.topic_prefix).accounts
    for value in (b"{}", b"broken"):
        write_records(settings, topic, {"account-1": value, "account-2": value})
    write_records(settings, topic, {"account-2": None})

    assert read_records(settings, topic, lambda value: value != b"broken") == {"account-1": b"{}"}


def test_an_empty_log_is_an_empty_table(settings: KafkaSettings) -> None:
    """The reader does not wait for records."""
    assert read_records(settings, TopicNames(settings.topic_prefix).api_keys) == {}


def test_each_record_lies_where_its_shard_looks_for_it(settings: KafkaSettings) -> None:
    """It is on its key's partition, at the returned place."""
    topic = TopicNames(settings.topic_prefix).accounts
    (place,) = write_records(settings, topic, {"account-7": b"value"})
    assert place.partition == partition_of("account-7", 3)
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    consumer.assign([TopicPartition(topic, place.partition)])
    consumer.seek(TopicPartition(topic, place.partition), place.offset)
    assert next(consumer).key == b"account-7"
    consumer.close()


def test_a_missing_topic_is_said(settings: KafkaSettings) -> None:
    """The error names the command that makes it."""
    with pytest.raises(OpsError, match="billing topics"):
        read_records(settings, f"{settings.topic_prefix}missing")


async def test_what_is_quarantined_is_passed_by(settings: KafkaSettings) -> None:
    """An unreadable batch is an error until an order passes it by; then the log is read as in the fold."""
    names = TopicNames(settings.topic_prefix)
    bomb = raw_batches.batch([raw_batches.record(0, b"key", bytes(2 * MAX_UNPACKED_BYTES))], 1, gzip.compress)
    write_records(settings, names.accounts, {"account-1": b"before"})
    (at,) = await raw_batches.write(settings.kafka_bootstrap_servers, names.accounts, [(0, bomb)])
    write_records(settings, names.accounts, {"account-2": b"behind"})
    with pytest.raises(UnreadableBatchError, match=f"{names.accounts}-0: the batch at offset {at} can't be read"):
        read_records(settings, names.accounts)

    order = QuarantineOrder(offset=at, end=at + 1, why="a bomb", who="ops", time=1_800_000_000)
    one = settings.model_copy(update={"partitions": 1})
    write_records(one, names.quarantine, {str(OrderKey(names.accounts, 0, at)): order.to_json()})

    assert read_records(settings, names.accounts) == {"account-1": b"before", "account-2": b"behind"}
