"""Opening and discarding a Kafka producer: kafka-python's settings, and its corners."""

from collections.abc import Mapping

from kafka import KafkaProducer
from kafka.errors import KafkaConfigurationError, KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

from ._kafka_logs import once_a_minute, quiet

# Fixed, because exactness or the platform's partitioning rests on them. The partitioner stays kafka-python's
# default: murmur2 of the key, as in Kafka's Java client and in the platform.
_FIXED: Mapping[str, object] = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,  # a topic that a producer made would have the wrong partitions
}

_OURS = set(_FIXED) | {
    "bootstrap_servers",
    "bootstrap_timeout_ms",
    "kafka_client",
    "key_serializer",
    "partitioner",
    "value_serializer",
}

# 20 ms of latency for fewer, larger, compressed requests; gzip is the codec that every installation has.
_TUNING: Mapping[str, object] = {
    "linger_ms": 20,
    "batch_size": 64 * 1024,
    "compression_type": "gzip",
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 30_000,
    "max_block_ms": 1_000,
    "metrics_enabled": False,  # the emitter has its own
}


def open_producer(
    bootstrap_servers: str, topic: str, *, timeout_seconds: float, options: Mapping[str, object]
) -> KafkaProducer:
    """Connects, and makes sure that the topic is there, so that sending to it doesn't wait for metadata.

    Args:
        bootstrap_servers: `host:port`, several separated by commas.
        topic: where the events go; it must exist.
        timeout_seconds: how long to try to connect.
        options: further settings of `kafka.KafkaProducer`, such as how to log in.

    Raises:
        KafkaError: Kafka is away, refuses us, or has no such topic.
        ValueError: an option that `kafka.KafkaProducer` doesn't take, or one that the emitter sets itself.
    """
    taken = sorted(set(options) & _OURS)
    if taken:
        raise ValueError(f"the emitter sets {', '.join(taken)} itself: leave them out")
    settings = {
        **_TUNING,
        **options,
        **_FIXED,
        "bootstrap_servers": bootstrap_servers.split(","),
        "bootstrap_timeout_ms": int(timeout_seconds * 1000),
    }
    with quiet():
        try:
            producer = _connect(settings)
        except KafkaConfigurationError as error:
            raise ValueError(f"kafka-python refuses its options: {error}") from error
        once_a_minute.hold_back(producer._sender)  # noqa: SLF001 - its thread
        try:
            producer.partitions_for(topic)
        except KafkaTimeoutError as error:
            discard_producer(producer)
            raise KafkaTimeoutError(f"{bootstrap_servers} knows no topic {topic!r}: run `billing topics`") from error
        except KafkaError:
            discard_producer(producer)
            raise
        return producer


def _connect(options: Mapping[str, object]) -> KafkaProducer:
    """A producer, or an error and nothing left open: kafka-python 3.0 forgets its client when it cannot connect."""
    clients: list[KafkaNetClient] = []

    def make_client(**client_options: object) -> KafkaNetClient:
        clients.append(KafkaNetClient(**client_options))
        return clients[-1]

    try:
        return KafkaProducer(kafka_client=make_client, **options)
    except BaseException:
        for client in clients:
            client.close()
        raise


def abandon_producer(producer: KafkaProducer) -> None:
    """In a child process: the connection is the parent's, so nothing may be sent over it, not even at the exit."""
    producer._unregister_cleanup()  # noqa: SLF001
    producer._closed = True  # noqa: SLF001 - or its __del__ would flush, with a thread that the child doesn't have


def discard_producer(producer: KafkaProducer) -> None:
    """Closes a producer at once; what it hasn't delivered fails. Its connections close in its own thread."""
    with quiet():
        try:
            producer.close(timeout=0)
        except KafkaError:
            # kafka-python 3.0's close() gives up before it stops its thread when a record is still undelivered.
            producer._sender.force_close()  # noqa: SLF001
