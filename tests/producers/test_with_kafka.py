"""The emitter with a real Kafka: the records that arrive, and the way of events out of the spool."""

import asyncio
import json
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from kafka.partitioner.default import murmur2
from prometheus_client import CollectorRegistry

from local.servers.kafka import KafkaServer
from telephony_billing_producers import Outcome, UsageEmitter
from tests.producers.conftest import BOTH_CLIENTS, NOWHERE, PARTITIONS, UsageTopic
from tests.support.eventually import eventually

pytestmark = BOTH_CLIENTS

Start = Callable[..., UsageEmitter]


def ids(records: list) -> list[str]:
    """The ids of the events, in the order of the records."""
    return [json.loads(record.value)["id"] for record in records]


def test_events_arrive_on_the_partition_of_their_account(
    start_connected: Start, usage_topic: UsageTopic, registry: CollectorRegistry
) -> None:
    """Keyed by account, partitioned by Kafka's murmur2, marked as CloudEvents, each account's in order."""
    emitter = start_connected()
    accounts = [f"account-{number}" for number in range(40)]
    deliveries = [
        emitter.emit("sms.send", account, id=f"{account}/{turn}", source="/sms")
        for turn in range(5)
        for account in accounts
    ]

    emitter.flush(timeout=20)

    assert {delivery.result(timeout=0) for delivery in deliveries} == {Outcome.ACKNOWLEDGED}
    records = usage_topic.records(200)
    assert len(records) == 200
    for record in records:
        assert record.key.decode() == json.loads(record.value)["subject"]
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS
        assert record.headers == [("content-type", b"application/cloudevents+json")]
    for account in accounts:
        assert [i for i in ids(records) if i.startswith(f"{account}/")] == [f"{account}/{turn}" for turn in range(5)]
    assert registry.get_sample_value("usage_emitter_events_acknowledged_total") == 200
    assert registry.get_sample_value("usage_emitter_events_spooled_total") == 0
    assert registry.get_sample_value("usage_emitter_connected") == 1


def test_flush_waits_for_the_deliveries_too(start_connected: Start) -> None:
    """When it returns they are done, though Kafka had acknowledged them a moment before."""
    emitter = start_connected()
    entered, go_on = threading.Event(), threading.Event()
    first, second = (emitter.emit("sms.send", "acme", source="/sms") for _ in range(2))
    first.add_done_callback(lambda _: entered.set() or go_on.wait(20))
    assert entered.wait(20)

    if not second.done():
        with pytest.raises(TimeoutError):
            emitter.flush(timeout=0.05)
    go_on.set()
    emitter.flush(timeout=20)

    assert second.done()


async def test_a_delivery_can_be_awaited(start_connected: Start) -> None:
    """Asyncio services wrap the future; it is done once Kafka has the event."""
    emitter = start_connected()

    outcome = await asyncio.wrap_future(emitter.emit("voice.ai", "acme", source="/voice"))

    assert outcome is Outcome.ACKNOWLEDGED


def test_close_waits_for_kafka(start_connected: Start, usage_topic: UsageTopic) -> None:
    """Events emitted just before the end arrive, and the spool is empty."""
    with start_connected() as emitter:
        for number in range(100):
            emitter.emit("sms.send", "acme", id=str(number), source="/sms")

    assert ids(usage_topic.records(100)) == [str(number) for number in range(100)]


def test_the_next_process_sends_what_the_last_one_spooled(start_connected: Start, usage_topic: UsageTopic) -> None:
    """A process that never saw Kafka leaves its events to the next one, which sends them in order."""
    with start_connected(bootstrap_servers=NOWHERE, connect_timeout_seconds=0.2) as emitter:
        for number in range(50):
            emitter.emit("sms.send", "acme", id=str(number), source="/sms")

    registry = CollectorRegistry()
    emitter = start_connected(registry=registry)
    emitter.flush(timeout=20)

    assert ids(usage_topic.records(50)) == [str(number) for number in range(50)]
    assert registry.get_sample_value("usage_emitter_events_acknowledged_total") == 50
    assert registry.get_sample_value("usage_emitter_spool_bytes") == 0


def test_the_same_process_sends_its_spool_when_kafka_comes(
    start_connected: Start, usage_topic: UsageTopic, registry: CollectorRegistry
) -> None:
    """The emitter started without Kafka; once it is there, the spool goes first and new events go directly."""
    with later_listener(usage_topic.bootstrap) as (address, listen):
        emitter = start_connected(bootstrap_servers=address, connect_timeout_seconds=0.5)
        for number in range(10):
            assert emitter.emit("sms.send", "acme", id=str(number), source="/sms").result(timeout=0) is Outcome.SPOOLED

        listen()
        emitter.flush(timeout=30)
        late = emitter.emit("sms.send", "acme", id="10", source="/sms")

        assert late.result(timeout=20) is Outcome.ACKNOWLEDGED
    assert ids(usage_topic.records(11)) == [str(number) for number in range(11)]
    assert registry.get_sample_value("usage_emitter_events_acknowledged_total") == 11


def test_what_kafka_does_not_acknowledge_is_spooled_and_sent_later(
    start_connected: Start, usage_topic: UsageTopic, registry: CollectorRegistry
) -> None:
    """The topic disappears under a connected emitter: its events wait on disk until the topic is back."""
    emitter = start_connected(patience_seconds=1.0)
    assert emitter.emit("sms.send", "acme", id="before", source="/sms").result(timeout=20) is Outcome.ACKNOWLEDGED
    usage_topic.delete()

    deliveries = [emitter.emit("sms.send", "acme", id=str(number), source="/sms") for number in range(20)]

    assert {delivery.result(timeout=20) for delivery in deliveries} == {Outcome.SPOOLED}
    usage_topic.create()
    emitter.flush(timeout=30)
    arrived = Counter(ids(usage_topic.records(20)))
    assert set(arrived) == {str(number) for number in range(20)}
    eventually(lambda: registry.get_sample_value("usage_emitter_connected") == 1)
    assert registry.get_sample_value("usage_emitter_events_acknowledged_total") == 21


def test_a_broker_that_is_killed_loses_nothing(
    own_kafka: KafkaServer, start_emitter: Start, registry: CollectorRegistry
) -> None:
    """Events go on while the broker is killed and started again: each of them arrives, some perhaps twice."""
    topic = UsageTopic(own_kafka.bootstrap_servers, "")
    topic.create()
    emitter = start_emitter(
        bootstrap_servers=topic.bootstrap, patience_seconds=1.0, connect_timeout_seconds=2.0, retry_seconds=0.1
    )
    deliveries = []

    def emit_until(condition: Callable[[], bool]) -> None:
        def emit_and_ask() -> bool:
            deliveries.append(emitter.emit("sms.send", "acme", id=str(len(deliveries)), source="/sms"))
            return condition()

        eventually(emit_and_ask, 60)

    def seen(outcome: Outcome) -> bool:
        return any(delivery.done() and delivery.result() is outcome for delivery in deliveries)

    emit_until(lambda: seen(Outcome.ACKNOWLEDGED))
    own_kafka.kill()
    emit_until(lambda: seen(Outcome.SPOOLED))
    own_kafka.start()
    emit_until(lambda: registry.get_sample_value("usage_emitter_connected") == 1)
    emitter.flush(timeout=30)

    assert set(ids(topic.records(len(deliveries)))) == {str(number) for number in range(len(deliveries))}


def test_a_missing_topic_is_named(
    start_connected: Start, usage_topic: UsageTopic, caplog: pytest.LogCaptureFixture
) -> None:
    """A producer never makes the topic: it would have the wrong partitions. The warning names the command."""
    with caplog.at_level(logging.WARNING, logger="producers"):
        emitter = start_connected(topic_prefix=f"{usage_topic.prefix}other.")

    assert "billing topics" in caplog.text
    assert emitter.emit("sms.send", "acme", source="/sms").result(timeout=0) is Outcome.SPOOLED


def test_more_than_the_buffer_holds_goes_to_the_spool(start_connected: Start, usage_topic: UsageTopic) -> None:
    """Events that come faster than Kafka acknowledges wait on disk, not in memory, and none is lost."""
    emitter = start_connected(buffer_bytes=1000)

    deliveries = [emitter.emit("sms.send", "acme", id=str(number), source="/sms") for number in range(200)]
    emitter.flush(timeout=30)

    outcomes = Counter(delivery.result(timeout=0) for delivery in deliveries)
    assert outcomes[Outcome.SPOOLED] > 0
    assert outcomes[Outcome.ACKNOWLEDGED] > 0
    assert sorted(ids(usage_topic.records(200)), key=int) == [str(number) for number in range(200)]


@contextmanager
def later_listener(target: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """An address that refuses connections until told to listen, and then forwards them to the target."""
    host, port = target.rsplit(":", 1)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    open_sockets = [listener]

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((host, int(port)))
                open_sockets.extend([client, server])
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    def listen() -> None:
        listener.listen()
        threading.Thread(target=accept, daemon=True).start()

    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", listen
    finally:
        for each in open_sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
