"""Reads a stretch of a topic, from offset to offset: only committed records, without a consumer group."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from metering.counting import LogRecord
from ops.console.errors import OpsError
from runtime.kafka_reaching import connected
from runtime.record_batch import UnreadableBatchError
from runtime.settings import KafkaSettings
from runtime.sync_consumer import SyncConsumer
from runtime.topics import DEAD_LETTER_MAX_BYTES

POLL_MS = 200  # milliseconds
IDLE_POLLS = 75  # polls without a record before the reader gives up: 15 s
POLL_RECORDS = 1_000  # records in one poll


class Bounds(NamedTuple):
    """The offsets of a partition: its earliest one, and the one after the last record that can be read."""

    earliest: int
    end: int


class LogReader:
    """A Kafka consumer for one command. It keeps no position in Kafka.

    Raises:
        KafkaUnreachableError: Kafka does not answer.
        OpsError: Kafka stops answering later.
    """

    def __init__(self, settings: KafkaSettings, *, committed: bool = True) -> None:
        """`committed` False: also reads records of open and aborted transactions, up to the high watermark."""
        self._servers = settings.kafka_bootstrap_servers
        self._consumer = connected(
            SyncConsumer,
            settings,
            isolation_level="read_committed" if committed else "read_uncommitted",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=2 * DEAD_LETTER_MAX_BYTES,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Disconnects."""
        self._consumer.close()

    def partitions(self, topic: str) -> list[int]:
        """The topic's partitions.

        Raises:
            OpsError: there is no such topic.
        """
        return [place.partition for place in self._partitions(topic)]

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Returns the present offsets of the partitions.

        Raises:
            OpsError: there is no such topic.
        """
        partitions = self._partitions(topic)
        earliest, ends = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        return {each.partition: Bounds(earliest[each], ends[each]) for each in partitions}

    def offsets_at(self, topic: str, time_ms: int) -> dict[int, int | None]:
        """Returns the partitions' first offsets with an append time of `time_ms` (Unix ms) or later; None if none has.

        A broker also answers none if it finds a record that was cut off the head of the log. Then the log begins later,
        and this function returns its first offset.
        """
        found = self._consumer.offsets_for_times(dict.fromkeys(self._partitions(topic), time_ms))
        offsets = {place.partition: None if at is None else at.offset for place, at in found.items()}
        if None in offsets.values():
            for partition, held in self.bounds(topic).items():
                begins_ms = self.begins_at(topic, partition, held) if offsets[partition] is None else None
                if begins_ms is not None and begins_ms >= time_ms:
                    offsets[partition] = held.earliest
        return offsets

    def begins_at(self, topic: str, partition: int, held: Bounds) -> int | None:
        """Returns the append time (Unix ms) of the first record that a partition holds; None if it holds none."""
        first = next(self.read(topic, partition, *held), None)
        return first[0].timestamp if first else None

    def read(self, topic: str, partition: int, start: int, end: int) -> Iterator[list[LogRecord]]:
        """Yields the records of [start, end), in order; offsets may have gaps (transactions, compaction).

        Raises:
            OpsError: Kafka no longer holds `start`, or stops answering.
            UnreadableBatchError: a batch can't be read. All records before it were yielded.
        """
        place = TopicPartition(topic, partition)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        idle = 0
        while self._consumer.position(place) < end:
            try:
                records = self._consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS).get(place, [])
            except OffsetOutOfRangeError as error:
                raise OpsError(f"{topic}/{partition} no longer holds offset {start}: retention has cut it") from error
            except KafkaError as error:
                at = self._consumer.position(place)
                raise OpsError(
                    f"{topic}-{partition}: Kafka does not give what lies at offset {at} ({error})"
                ) from error
            idle = 0 if records else idle + 1
            if idle > IDLE_POLLS:
                raise OpsError(f"Kafka at {self._servers} stopped answering while {topic} was read")
            wanted = [record for record in records if record.offset < end]
            if wanted:
                yield wanted

    def read_around(
        self, topic: str, partition: int, start: int, end: int, tell: Callable[[str], None]
    ) -> Iterator[list[LogRecord]]:
        """Yields the same, but reads on behind a batch that can't be read. `tell` takes a message about the batch.

        Raises:
            OpsError: Kafka no longer holds `start`, or stops answering.
        """
        at: int | None = start
        while at is not None and at < end:
            try:
                yield from self.read(topic, partition, at, end)
            except UnreadableBatchError as error:
                tell(str(error))
                at = error.end
            else:
                return

    def _partitions(self, topic: str) -> list[TopicPartition]:
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            raise OpsError(f"Kafka at {self._servers} has no topic {topic}: run `billing topics`, or name another")
        return [TopicPartition(topic, number) for number in sorted(numbers)]
