"""Finds open transactions. Records behind the first record of one are acknowledged, but can't be read yet.

Kafka tells the end of a log for readers (its last stable offset) and for producers (its high watermark). If the two
differ, the record at the last stable offset is the first record of the partition's oldest open transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from ops.logs.append_time import append_ms_at
from ops.logs.reader import Bounds, LogReader
from runtime.kafka_faults import KafkaUnreachableError
from runtime.kafka_reaching import connected
from runtime.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """The oldest open transaction of a partition.

    Attributes:
        topic: the log.
        partition: its partition, and so the shard.
        offset: its first record: the last stable offset.
        end: the high watermark.
        since_ms: the append time of that record, Unix milliseconds.
        producer_id: Kafka's number of the producer; None if Kafka does not tell.
        transactional_id: the producer's own name; None if no coordinator knows it (any more).
    """

    topic: str
    partition: int
    offset: int
    end: int
    since_ms: int
    producer_id: int | None = None
    transactional_id: str | None = None

    def age(self, now_ms: int) -> float:
        """Returns the seconds for which it has been open."""
        return max(0.0, (now_ms - self.since_ms) / 1000)

    @property
    def writer(self) -> str:
        """Returns the producer for a message, as far as Kafka tells: " of ..."."""
        name = "" if self.transactional_id is None else f" of {self.transactional_id!r}"
        return name if self.producer_id is None else f"{name} (producer {self.producer_id})"


def find_open(
    settings: KafkaSettings, reader: LogReader, topics: Iterable[str]
) -> dict[TopicPartition, OpenTransaction]:
    """Returns the open transactions that hold back readers now, by partition.

    Raises:
        OpsError: Kafka does not answer, or there is no such topic.
    """
    found: dict[TopicPartition, OpenTransaction] = {}
    with LogReader(settings, committed=False) as everything:
        for topic in topics:
            high = everything.bounds(topic)  # asked first: a commit in between then shows no open one
            stable = reader.bounds(topic)
            for number, held in high.items():
                rest = Bounds(stable[number].end, held.end)
                since_ms = append_ms_at(everything, topic, number, rest) if rest.earliest < rest.end else None
                if since_ms is not None:
                    place = TopicPartition(topic, number)
                    found[place] = OpenTransaction(topic, number, rest.earliest, rest.end, since_ms)
    return _with_producers(settings, found) if found else found


def _with_producers(
    settings: KafkaSettings, found: Mapping[TopicPartition, OpenTransaction]
) -> dict[TopicPartition, OpenTransaction]:
    """Adds the producers of the transactions, as far as Kafka tells this user."""
    named = dict(found)
    with suppress(KafkaError, KafkaUnreachableError), connected(KafkaAdminClient, settings) as admin:
        for place, state in admin.describe_producers(list(found)).items():
            named[place] = _named(admin, found[place], state.active_producers)
    return named


def _named(admin: Any, transaction: OpenTransaction, producers: Sequence[Any]) -> OpenTransaction:
    writer = next((each for each in producers if each.current_transaction_start_offset == transaction.offset), None)
    if writer is None:
        return transaction
    number = int(writer.producer_id)
    listed = admin.list_transactions(producer_id_filters=[number]).values()
    name = next((each.transactional_id for each in (entry for entries in listed for entry in entries)), None)
    return replace(transaction, producer_id=number, transactional_id=name)
