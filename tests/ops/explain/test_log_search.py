"""The search of `billing explain` reads no more of the push log than necessary."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from metering.counting import LogRecord
from metering.push_log import Prepared, PushRecord, Settled, Settlement, StripeIdentity, encode
from metering.row import Row
from ops.console.errors import OpsError
from ops.explain.log_search import HOUR_MS, LogSearch
from ops.logs.reader import Bounds, LogReader
from runtime.settings import KafkaSettings

IDENTITY = StripeIdentity(namespace="tests", account="acct_1", livemode=False)
NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 24 * HOUR_MS


def row(number: int) -> Row:
    """One of many."""
    return Row(account="acme", meter="sms.send", hour=number, start=0, end=5, customer="cus_1", timestamp=3600 * number)


def name(number: int) -> str:
    """Its identifier."""
    return row(number).identifier("tests")


def prepared(number: int) -> Prepared:
    """A record."""
    return Prepared(identity=IDENTITY, usage_fence=0, rows=(row(number),))


def settled(number: int) -> Settled:
    """A record."""
    return Settled(settlements=(Settlement(identifier=name(number)),))


class NotedReader(LogReader):
    """A reader that records what it has read: (partition, offset)."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self.noted: list[tuple[int, int]] = []

    def begins_at(self, topic: str, partition: int, held: Bounds) -> int | None:
        """As every reader: it looks at the first record only, which is not noted."""
        noted = list(self.noted)
        time_ms = super().begins_at(topic, partition, held)
        self.noted = noted
        return time_ms

    def read(self, topic: str, partition: int, start: int, end: int) -> Iterator[list[LogRecord]]:
        """As every reader."""
        for records in super().read(topic, partition, start, end):
            self.noted += [(partition, record.offset) for record in records]
            yield records


@dataclass
class PushLog:
    """A push log of two partitions whose past is written."""

    topic: str
    reader: NotedReader
    producer: KafkaProducer
    searched: list[str] = field(default_factory=list)

    def push(self, partition: int, hours_ago: float, record: PushRecord) -> None:
        """Appends."""
        at = NOW_MS - int(hours_ago * HOUR_MS)
        self.producer.send(self.topic, encode(record), partition=partition, timestamp_ms=at).get(10)

    def find(self, beginning: str, shards: range = range(2), since_ms: int = 0) -> str:
        """The identifier that is found."""
        search = LogSearch(self.reader, self.topic, beginning, shards, since_ms, self.searched.append)
        return search.find(NOW_MS).identifier


@pytest.fixture
def log(kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic_prefix: str) -> Iterator[PushLog]:
    """One row was delivered 50 days ago, one six hours ago; one is in flight for minutes, one since yesterday."""
    topic = f"{topic_prefix}pushes"
    written = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}  # the past is written, and stays
    kafka_admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1, topic_configs=written)])
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all")
    with NotedReader(KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap)) as reader:
        log = PushLog(topic, reader, producer)
        for partition, hours_ago, record in (
            (0, 50 * 24, prepared(1)),
            (0, 50 * 24, settled(1)),
            (1, 26, prepared(2)),
            (1, 6.1, prepared(3)),
            (1, 6, settled(3)),
            (0, 0.2, prepared(4)),
        ):
            log.push(partition, hours_ago, record)
        yield log
    producer.close()


def test_a_row_on_its_way_is_found_in_the_last_hour(log: PushLog) -> None:
    """Nothing else is read."""
    assert log.find(name(4)[:10]) == name(4)
    assert set(log.reader.noted) == {(0, 2)}


def test_a_delivered_row_is_found_by_its_settlement(log: PushLog) -> None:
    """It reads the last day of all shards, then the records before the settlement; older ones stay unread."""
    assert log.find(name(3)) == name(3)
    assert set(log.reader.noted) == {(0, 2), (1, 1), (1, 2)}


def test_old_rows_and_rows_that_nothing_settled_are_found_too(log: PushLog) -> None:
    """In the end everything is read."""
    assert log.find(name(1)) == name(1)
    assert log.find(name(2)) == name(2)


def test_what_is_not_there_is_said_with_where_it_was_looked_for(log: PushLog) -> None:
    """The error names the searched shards."""
    for beginning, shards, since_ms in (
        ("0123456789", range(2), 0),
        (name(3), range(1), 0),
        (name(1), range(2), NOW_MS - 40 * DAY_MS),
    ):
        with pytest.raises(OpsError, match=rf"shard {', '.join(map(str, shards))} has an identifier that begins"):
            log.find(beginning, shards, since_ms)


def test_a_beginning_that_several_rows_share_is_refused(log: PushLog) -> None:
    """The error names up to five of them."""
    by_digit = sorted((name(number)[0], number) for number in range(10, 30))
    first, second = next((a, b) for (x, a), (y, b) in pairwise(by_digit) if x == y)
    for number in (first, second):
        log.push(0, 0.1, prepared(number))
    with pytest.raises(OpsError, match="is not enough"):
        log.find(name(first)[0])
