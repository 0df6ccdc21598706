"""Kafka through librdkafka (confluent-kafka), for services with more events than kafka-python is made for."""

import ctypes
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaException, Message, Producer

from .._delivery import AcceptedEvent
from .._event import UsageRecord
from .connection import (
    BATCH_BYTES,
    COMPRESSION,
    DELIVERY_TIMEOUT_MS,
    HEADERS,
    LINGER_MS,
    REQUEST_TIMEOUT_MS,
    KafkaAnswers,
    KafkaAwayError,
)
from .logs import once_a_minute

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1

_HEADERS: list[tuple[str, str | bytes | None]] = [*HEADERS]

# Fixed, because exactness or the platform's partitioning rests on them: murmur2 of the key, as in Kafka's Java client.
_FIXED: Mapping[str, object] = {
    "acks": "all",
    "enable.idempotence": True,
    "allow.auto.create.topics": False,
    "partitioner": "murmur2_random",
}

_OURS = set(_FIXED) | {"bootstrap.servers", "logger", "metadata.broker.list", "on_delivery", "request.required.acks"}

_TUNING: Mapping[str, object] = {
    "linger.ms": LINGER_MS,
    "batch.size": BATCH_BYTES,
    "compression.type": COMPRESSION,
    "request.timeout.ms": REQUEST_TIMEOUT_MS,
    "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
    "queue.buffering.max.messages": 0,  # bounded in bytes, by the table of events in flight
}


class LibrdkafkaConnection:
    """A connection through librdkafka; see `KafkaConnection`."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._acknowledged: deque[AcceptedEvent] = deque()
        self._failures: deque[Any] = deque()
        self._last: Message | None = None

    def send(self, events: Sequence[AcceptedEvent]) -> None:
        """See `KafkaConnection.send`."""
        produce, report = self._producer.produce, self._report
        try:
            for event in events:
                produce(self._topic, event.value, event.key, headers=_HEADERS, on_delivery=partial(report, event))
        except Exception as error:  # whatever kept it from being sent, the event must not be lost
            raise KafkaAwayError(str(error)) from error

    def answers(self) -> KafkaAnswers:
        """See `KafkaConnection.answers`."""
        with once_a_minute.here():
            self._producer.poll(0)
        acknowledged = [self._acknowledged.popleft() for _ in range(len(self._acknowledged))]
        failure = KafkaException(self._failures.popleft()) if self._failures else None
        return KafkaAnswers(acknowledged, self._last.timestamp()[1] if acknowledged and self._last else None, failure)

    def resend(self, records: Sequence[UsageRecord], patience_seconds: float) -> int | None:
        """See `KafkaConnection.resend`."""
        reports: deque[tuple[Any, Message]] = deque()

        def report(error: Any, message: Message) -> None:
            reports.append((error, message))

        try:
            for key, value in records:
                self._producer.produce(self._topic, value, key, headers=_HEADERS, on_delivery=report)
        except (KafkaException, BufferError) as error:
            raise KafkaAwayError(str(error)) from error
        append_ms: int | None = None
        waiting, since = len(records), time.monotonic()
        while waiting:
            with once_a_minute.here():
                self._producer.poll(POLL_SECONDS)  # the hand-over's thread polls too: either calls back
            while reports:
                refused, message = reports.popleft()
                if refused is not None:
                    raise KafkaAwayError(str(refused))
                append_ms = message.timestamp()[1]
                waiting, since = waiting - 1, time.monotonic()
            if waiting and time.monotonic() - since > patience_seconds:
                raise KafkaAwayError(f"{waiting} events are not acknowledged after {patience_seconds} s")
        return append_ms

    def discard(self) -> None:
        """See `KafkaConnection.discard`. Whoever lets go of the producer last waits for its threads to end."""
        self._producer.purge()
        self._producer.flush(POLL_SECONDS)  # what is not reported is never freed

    def abandon(self) -> None:
        """See `KafkaConnection.abandon`."""
        # Kept for ever: its end would wait for threads that the child doesn't have.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._producer))

    def _report(self, event: AcceptedEvent, error: Any, message: Message) -> None:
        if error is None:
            self._last = message
            self._acknowledged.append(event)
        else:
            self._failures.append(error)


def librdkafka_settings(bootstrap_servers: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Returns the settings of a producer."""
    return {**_TUNING, **options, **_FIXED, "bootstrap.servers": bootstrap_servers}


def open_librdkafka(
    bootstrap_servers: str, topic: str, *, timeout_seconds: float, options: Mapping[str, object]
) -> LibrdkafkaConnection:
    """Connects, and makes sure that the topic is there; arguments and errors are those of `open_kafka_python`."""
    taken = sorted(set(options) & _OURS)
    if taken:
        raise ValueError(f"the emitter sets {', '.join(taken)} itself: leave them out")
    log.addFilter(once_a_minute)
    try:
        producer = Producer(librdkafka_settings(bootstrap_servers, options) | {"logger": log})
    except (KafkaException, TypeError, ValueError) as error:
        raise ValueError(f"librdkafka refuses its options: {error}") from error
    try:
        found = producer.list_topics(topic, timeout=timeout_seconds).topics[topic]
    except KafkaException as error:
        raise KafkaAwayError(str(error)) from error
    if found.error is not None:
        raise KafkaAwayError(f"{bootstrap_servers} knows no topic {topic!r} ({found.error}): run `billing topics`")
    return LibrdkafkaConnection(producer, topic)
