"""A transaction stays open: `billing status` names its producer, its age, and the records behind it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from metering.alarms import HELD_SECONDS
from metering.partition import partition_of
from tests.ops.installation import ACCOUNTS, OURS, PARTITIONS, System
from tests.support.eventually import eventually

ACCOUNT = ACCOUNTS[0]
HOME = partition_of(ACCOUNT, PARTITIONS)


@pytest.fixture
def producers_time(system: System, kafka_admin: KafkaAdminClient) -> Iterator[None]:
    """The usage log takes producers' timestamps, so that a transaction may have begun a while ago."""

    def set_type(kind: str) -> None:
        name, configs = system.topics.usage, {"message.timestamp.type": kind}
        kafka_admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])

    set_type("CreateTime")
    yield
    set_type("LogAppendTime")


@pytest.fixture
def transaction(system: System, producers_time: None) -> Iterator[Producer]:
    """A transaction with one record, open for too long; the test or the fixture ends it."""
    name = f"{system.topics.prefix}etl"
    servers = system.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"]
    producer = Producer(
        {"bootstrap.servers": servers, "transactional.id": name, "transaction.timeout.ms": 300_000, "acks": "all"}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    began_ms = time.time_ns() // 1_000_000 - int((HELD_SECONDS + 30) * 1000)
    producer.produce(system.topics.usage, b"never committed", ACCOUNT, HOME, timestamp=began_ms)
    assert producer.flush(20) == 0
    yield producer
    with suppress(KafkaException):  # it was ended
        producer.abort_transaction(20)


def shard(system: System) -> dict[str, Any]:
    """The shard in the status."""
    (found,) = system.status("--shard", str(HOME))["shards"]
    return found


def test_a_transaction_that_stays_open_is_named(system: System, transaction: Producer) -> None:
    """The records behind it are shown, and counted once it has ended; there is no other finding."""
    offset = shard(system)["usage"]["stable"]
    counted = shard(system)["records"]["counted"]
    system.publisher.publish([ACCOUNT], 10)
    system.publisher.flush()

    found = shard(system)
    assert found["lag"] == system.ends(system.topics.usage)[system.topics.usage, HOME] - offset > 10
    assert found["lag_seconds"] > HELD_SECONDS
    assert found["records"]["counted"] == counted
    assert {*found["troubles"]} - OURS == {"transaction_open"}
    (said,) = (each for each in system.status()["findings"] if each["trouble"] == "transaction_open")
    assert f"of '{system.topics.prefix}etl'" in said["sentence"]
    assert f"has held {system.topics.usage} up for" in said["sentence"]
    assert said["details"] == [f"{system.topics.usage}-{HOME} from offset {offset} on"]
    done = system.billing("status")
    assert done.exit_code == 1
    assert said["details"][0] in done.stdout

    transaction.abort_transaction(20)

    system.expect_exact()
    eventually(
        lambda: shard(system)["lag"] == 0 and not {*shard(system)["troubles"]} - OURS,
        what="a shard that is held no more",
    )
