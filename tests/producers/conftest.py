"""The common part of the emitter's tests: an emitter with a temporary spool, its own usage topic, and its records."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from prometheus_client import CollectorRegistry

from telephony_billing_producers import EmitterSettings, UsageEmitter
from telephony_billing_producers._spool.segment import read_segment
from telephony_billing_producers._spool.spool import Spool
from telephony_billing_producers.contract import TOPIC
from tests.support.eventually import eventually

PARTITIONS = 12
# Port 1 (tcpmux) is privileged, and nothing listens on it.
NOWHERE = "127.0.0.1:1"
BOTH_CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
"""A contract: what holds with one client holds with the other."""


class UsageTopic:
    """A usage topic of one test: made and deleted at will, and read from its start."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.name = prefix + TOPIC

    def create(self, **configs: str) -> None:
        """Makes the topic and waits until each partition has a leader."""
        with self._admin() as admin:
            admin.create_topics(
                [NewTopic(name=self.name, num_partitions=PARTITIONS, replication_factor=1, topic_configs=configs)]
            )
            eventually(lambda: self._leaders(admin) == PARTITIONS)

    def delete(self) -> None:
        """Deletes the topic and waits until it is gone."""
        with self._admin() as admin:
            admin.delete_topics([self.name])
            eventually(lambda: self.name not in admin.list_topics())

    def records(self, count: int, seconds: float = 30.0) -> list:
        """All records of the topic, once there are at least `count`."""
        partitions = [TopicPartition(self.name, number) for number in range(PARTITIONS)]
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False)
        try:
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            found: list = []

            def enough() -> bool:
                for records in consumer.poll(timeout_ms=200).values():
                    found.extend(records)
                return len(found) >= count

            eventually(enough, seconds)
            return found
        finally:
            consumer.close()

    def _admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.bootstrap)

    def _leaders(self, admin: KafkaAdminClient) -> int:
        (topic,) = admin.describe_topics([self.name])
        return sum(partition["leader_id"] >= 0 for partition in topic["partitions"])


def spooled(directory: Path) -> list:
    """The records in a spool without owner, slot by slot, in the order of sending."""
    for slot in sorted(directory.glob("slot-*")):
        Spool(slot).close()  # nobody holds it
    return [record for path in sorted(directory.glob("slot-*/*.jsonl")) for record in read_segment(path)]


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the test's own."""
    return CollectorRegistry()


@pytest.fixture
def spool_directory(tmp_path: Path) -> Path:
    """Where the test's emitters spool."""
    return tmp_path / "spool"


@pytest.fixture
def client() -> str:
    """Kafka's client; a test that is about both has it as a parameter: see `BOTH_CLIENTS`."""
    return "kafka-python"


@pytest.fixture
def start_emitter(
    spool_directory: Path, registry: CollectorRegistry, client: str
) -> Iterator[Callable[..., UsageEmitter]]:
    """Makes emitters over the test's spool, by default with Kafka away, and closes them after the test."""
    with ExitStack() as emitters:

        def start(**settings: object) -> UsageEmitter:
            own_registry: Any = settings.pop("registry", registry)
            clock: Any = settings.pop("clock", time.time)
            defaults: dict = {
                "bootstrap_servers": NOWHERE,
                "spool_directory": spool_directory,
                "connect_timeout_seconds": 0.2,
                "retry_seconds": 0.05,
                "client": client,
            }
            emitter = UsageEmitter(EmitterSettings(**(defaults | settings)), registry=own_registry, clock=clock)
            emitters.callback(emitter.close)
            return emitter

        yield start


@pytest.fixture
def usage_topic(kafka_bootstrap: str, topic_prefix: str) -> UsageTopic:
    """A usage topic under the test's prefix, made."""
    topic = UsageTopic(kafka_bootstrap, topic_prefix)
    topic.create()
    return topic


@pytest.fixture
def start_connected(usage_topic: UsageTopic, start_emitter: Callable[..., UsageEmitter]) -> Callable[..., UsageEmitter]:
    """Makes emitters to the test's topic."""

    def start(**settings: object) -> UsageEmitter:
        defaults = {
            "bootstrap_servers": usage_topic.bootstrap,
            "topic_prefix": usage_topic.prefix,
            "connect_timeout_seconds": 10.0,
        }
        return start_emitter(**(defaults | settings))

    return start


@pytest.fixture
def log_append_topic(kafka_bootstrap: str, topic_prefix: str) -> UsageTopic:
    """The same, with the broker's append time in its records, as the platform's topics have it."""
    topic = UsageTopic(kafka_bootstrap, topic_prefix)
    topic.create(**{"message.timestamp.type": "LogAppendTime"})
    return topic
