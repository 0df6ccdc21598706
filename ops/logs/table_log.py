"""Writes to the compacted logs (accounts and API keys), and reads them completely."""

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

ACKNOWLEDGE_SECONDS = 15.0  # seconds until Kafka must have acknowledged a record


class TablePlace(NamedTuple):
    """The place of a written record in its topic."""

    partition: int
    offset: int


def write_records(settings: KafkaSettings, topic: str, records: Mapping[str, bytes | None]) -> list[TablePlace]:
    """Appends records to their keys' partitions, and waits until all in-sync replicas have them; None: a tombstone.

    Raises:
        OpsError: Kafka did not take all records; the records that it took stay.
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
    """Reads the topic to its end. Returns the last values by key, without keys that a tombstone removed.

    As in the aggregator's fold, offsets that a person has ordered to be passed by are left out, and so is a value that
    is not `readable`: the key's earlier value stays. With `beside`, only the partition of that key is read.

    Raises:
        OpsError: Kafka does not answer, or the topic is missing.
        UnreadableBatchError: a batch can't be read, so that its changes are not known.
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
