"""The compacted logs, accounts and API keys: writing to them, and reading them whole."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from metering.partition import partition_of
from ops.console.bar import Bar
from ops.console.errors import OpsError
from ops.logs.order_log import read_folded, read_orders
from ops.logs.reader import LogReader
from runtime.kafka_reaching import connected
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

ACKNOWLEDGE_SECONDS = 15.0


class TablePlace(NamedTuple):
    """Where a record came to lie in its topic."""

    partition: int
    offset: int


def write_records(settings: KafkaSettings, topic: str, records: Mapping[str, bytes | None]) -> list[TablePlace]:
    """Appends records, each to its key's partition, acknowledged by every in-sync replica; None: a tombstone.

    Raises:
        OpsError: Kafka did not take them all; those that it took stay.
    """
    try:
        producer = connected(KafkaProducer, settings, acks="all")
        try:
            sent = [
                producer.send(topic, key=key.encode(), value=value, partition=partition_of(key, settings.partitions))
                for key, value in records.items()
            ]
            acknowledged = list[Any]()
            with Bar("records written", len(sent)) as bar:
                for each in sent:
                    acknowledged.append(each.get(timeout=ACKNOWLEDGE_SECONDS))
                    bar.advance()
        finally:
            producer.close()
    except KafkaError as error:
        raise _away(settings, topic, error) from error
    return [TablePlace(each.partition, each.offset) for each in acknowledged]


def read_records(
    settings: KafkaSettings,
    topic: str,
    readable: Callable[[bytes], bool] = lambda _: True,
    *,
    beside: str | None = None,
) -> dict[str, bytes]:
    """The topic read to its end: the last value of each key, without those that a tombstone removed.

    What a person has ordered to be passed by is left out, as the fold leaves it out, and so is what is not `readable`:
    the record before it stands. With `beside`, the keys that lie on the same partition as this one are enough.

    Raises:
        OpsError: Kafka does not answer, or the topic is missing.
        UnreadableBatchError: a batch can't be read: what it changed is not known.
    """
    table: dict[str, bytes] = {}
    with LogReader(settings) as reader:
        orders = read_orders(reader, TopicNames(settings.topic_prefix).quarantine)
        for partition, held in reader.bounds(topic).items():
            if beside is not None and partition != partition_of(beside, settings.partitions):
                continue
            for records in read_folded(reader, topic, partition, *held, orders.of(topic, partition)):
                for record in records:
                    if record.value is None or readable(record.value):
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
