"""Publishes the same events in one of four ways: `python -m bench.producers.publish TASK`, as a child process.

The bare clients get records that were made before, with the settings that the emitter gives its client.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from confluent_kafka import Producer
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from bench.producers.task import BARE_C, BARE_PYTHON, EMIT_C, PublishOutcome, PublishTask
from telephony_billing_producers import EmitterSettings, SmsService, UsageEmitter
from telephony_billing_producers._event import RecordMaker, UsageRecord
from telephony_billing_producers._ids import random_id
from telephony_billing_producers._kafka.connection import HEADERS
from telephony_billing_producers._kafka.kafka_python import kafka_python_settings
from telephony_billing_producers._kafka.librdkafka import librdkafka_settings
from telephony_billing_producers.contract import TOPIC

ACCOUNTS = 1000
SOURCE = "/bench/sms"
WARM = 2000  # events before the clock runs: connections, caches
FLUSH_SECONDS = 60.0


class Publishing(NamedTuple):
    """A function to publish one thing, the things to publish, and a function to wait for the acknowledgements."""

    publish: Callable[[Any], object]
    things: Sequence[Any]
    flush: Callable[[], None]


def publisher(task: PublishTask) -> Publishing:
    """Prepares a publisher; the preparation is not measured."""
    messages = [
        (f"acct_{number % ACCOUNTS}", f"SM{(task.seed << 64) + number:032x}") for number in range(WARM + task.events)
    ]
    if task.publisher == BARE_PYTHON:
        return _bare_python(task, _records(messages))
    if task.publisher == BARE_C:
        return _bare_c(task, _records(messages))
    return _emitter(task, messages)


def run(task: PublishTask) -> PublishOutcome:
    """Publishes some events to warm up, and then measures the others."""
    publish, things, flush = publisher(task)
    for thing in things[:WARM]:
        publish(thing)
    flush()
    gc.collect()
    took: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()
    if task.rate:
        took = _paced(publish, things[WARM:], task.rate, started)
    else:
        for thing in things[WARM:]:
            publish(thing)
    flush()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    took = sorted(took) or [0.0]
    return PublishOutcome(task.events, seconds, cpu_seconds, 1e6 * median(took), 1e6 * took[len(took) * 99 // 100])


def _paced(publish: Callable[[Any], object], things: Sequence[Any], rate: float, started: float) -> list[float]:
    """Publishes at fixed times, and sleeps in between. Returns the seconds of the calls."""
    took = []
    for number, thing in enumerate(things):
        wait = started + number / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        begun = time.perf_counter()
        publish(thing)
        took.append(time.perf_counter() - begun)
    return took


def _records(messages: Sequence[tuple[str, str]]) -> list[UsageRecord]:
    make = RecordMaker(time.time, random_id).make
    return [
        make("sms.send", account, source=SOURCE, id=name, quantity=1, time=None, extra=None)
        for account, name in messages
    ]


def _bare_python(task: PublishTask, records: list[UsageRecord]) -> Publishing:
    producer, topic = KafkaProducer(**kafka_python_settings(task.bootstrap, {})), task.prefix + TOPIC
    return Publishing(
        lambda record: producer.send(topic, record.value, record.key, HEADERS),
        records,
        lambda: producer.flush(FLUSH_SECONDS),
    )


def _bare_c(task: PublishTask, records: list[UsageRecord]) -> Publishing:
    producer, topic = Producer(librdkafka_settings(task.bootstrap, {})), task.prefix + TOPIC
    headers: list[tuple[str, str | bytes | None]] = [*HEADERS]

    def publish(record: UsageRecord) -> None:
        producer.produce(topic, record.value, record.key, headers=headers)
        producer.poll(0)

    def flush() -> None:
        if producer.flush(FLUSH_SECONDS):
            raise RuntimeError("Kafka did not acknowledge everything")

    return Publishing(publish, records, flush)


def _emitter(task: PublishTask, messages: Sequence[tuple[str, str]]) -> Publishing:
    registry = CollectorRegistry()
    settings = EmitterSettings(
        bootstrap_servers=task.bootstrap,
        topic_prefix=task.prefix,
        spool_directory=Path(task.spool),
        client="librdkafka" if task.publisher == EMIT_C else "kafka-python",
    )
    emitter = UsageEmitter(settings, registry=registry)
    sent = SmsService(emitter, source=SOURCE).sent

    def flush() -> None:
        emitter.flush(FLUSH_SECONDS)
        if spooled := registry.get_sample_value("usage_emitter_events_spooled_total"):
            raise RuntimeError(f"{spooled:.0f} events went to the disk: that is not what is compared")

    return Publishing(lambda message: sent(*message), messages, flush)


if __name__ == "__main__":
    print(run(PublishTask.parse(sys.argv[-1])).text(), flush=True)  # noqa: T201 - the answer
