"""Restamping an event that was counted before the dedupe window began: only the usage log knows it."""

import json
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from metering.partition import partition_of
from metering.rfc3339 import from_unix
from ops.dlq.counted_before import check_counted_before
from ops.dlq.planning import Fate, Planned, Redrive, plan_letter
from ops.logs.dead_letters import DeadLetter, LetterOrigin, LetterPlace
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames
from tests.metering.events import Record
from tests.ops.replay_house import DAY, event

PARTITIONS = 2
NOW = int(time.time())


@pytest.fixture
def settings(kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic_prefix: str) -> Iterator[KafkaSettings]:
    """A usage log whose append times are the test's to choose."""
    settings = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=PARTITIONS)
    configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    topic = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}
    names = TopicNames(topic_prefix)
    orders = {"num_partitions": 1, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}}
    kafka_admin.create_topics({names.usage: topic, names.quarantine: orders}, wait_for_metadata=True)
    return settings


def append(settings: KafkaSettings, days_ago: float, value: dict[str, object]) -> None:
    """A record of the usage log, appended then."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    producer.send(
        TopicNames(settings.topic_prefix).usage,
        json.dumps(value).encode(),
        partition=partition_of(str(value["subject"]), PARTITIONS),
        timestamp_ms=int((NOW - days_ago * DAY) * 1000),
    ).get(timeout=15)
    producer.close()


def redrive_of(settings: KafkaSettings, *, force: bool = False) -> Redrive:
    """Restamping to now."""
    usage = TopicNames(settings.topic_prefix).usage
    return Redrive(usage=usage, partitions=PARTITIONS, now_ms=NOW * 1000, restamp_to=NOW, force=force)


def late(redrive: Redrive, days_ago: float, name: str) -> Planned:
    """The plan of a letter whose event happened then and arrived today."""
    value = json.dumps(event("acme", name, time=from_unix(int(NOW - days_ago * DAY)))).encode()
    letter = DeadLetter(
        LetterOrigin(redrive.usage, 0, 7), LetterPlace(0, 0), "time_too_old", "", NOW, "/test/acme", "acme"
    )
    return plan_letter(letter, Record(0, value, NOW * 1000), redrive)


def test_what_was_counted_in_time_is_held_back(settings: KafkaSettings) -> None:
    """The log has its first record, before the window; records of other events, and rejected ones, do not matter."""
    happened = from_unix(NOW - 60 * DAY)
    append(settings, 59, event("acme", "counted", time=happened))
    append(settings, 59, event("acme", "rejected", time=happened, type="fax.send"))
    append(settings, 10, event("acme", "too-late", time=happened))
    redrive = redrive_of(settings)
    planned = [late(redrive, 60, name) for name in ("counted", "rejected", "too-late", "never")]
    assert {each.fate for each in planned} == {Fate.SEND}

    checked = check_counted_before(settings, planned, redrive)

    assert [each.fate for each in checked] == [Fate.COUNTED_BEFORE, Fate.SEND, Fate.SEND, Fate.SEND]


def test_a_log_that_was_cut_can_not_tell(settings: KafkaSettings, kafka_admin: KafkaAdminClient) -> None:
    """--force sends events that nobody can judge, but never one that was counted."""
    partition = partition_of("acme", PARTITIONS)
    append(settings, 69, event("acme", "cut", time=from_unix(NOW - 69 * DAY)))
    append(settings, 55, event("acme", "counted", time=from_unix(NOW - 55 * DAY)))
    usage = TopicNames(settings.topic_prefix).usage
    cut_before(kafka_admin, usage, partition, 1)
    redrive, forced = redrive_of(settings), redrive_of(settings, force=True)

    def fates(redrive: Redrive) -> list[Fate]:
        planned = [late(redrive, 69, "cut"), late(redrive, 56, "counted"), late(redrive, 50, "within")]
        return [each.fate for each in check_counted_before(settings, planned, redrive)]

    assert fates(redrive) == [Fate.UNCERTAIN, Fate.COUNTED_BEFORE, Fate.SEND]
    assert fates(forced) == [Fate.SEND, Fate.COUNTED_BEFORE, Fate.SEND]


def cut_before(admin: KafkaAdminClient, topic: str, partition: int, offset: int) -> None:
    """Cuts the log, like retention."""
    admin.delete_records({TopicPartition(topic, partition): offset})
