"""Writes the load to Kafka."""

import time

from confluent_kafka import Producer

from bench.load import events
from metering.partition import partition_of
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics

FLUSH_SECONDS = 60.0


def preload(settings: KafkaSettings, count: int) -> int:
    """Makes the topics under the settings' prefix, and writes `count` events. Returns the number of distinct ones."""
    create_topics(settings)
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "linger.ms": 50, "acks": "all"})
    topic, distinct = TopicNames(settings.topic_prefix).usage, set()
    for account, value in events(count, now=int(time.time())):
        distinct.add(hash(value))
        write(producer, topic, account, value, partition_of(account, settings.partitions))
    if producer.flush(FLUSH_SECONDS):
        raise RuntimeError(f"Kafka did not take {count} events within {FLUSH_SECONDS:g} s")
    return len(distinct)


def write(producer: Producer, topic: str, account: str, value: bytes, partition: int) -> None:
    """Hands one event over; waits while the producer's buffer is full."""
    while True:
        try:
            producer.produce(topic, value, account, partition)
        except BufferError:
            producer.poll(0.05)
        else:
            return
