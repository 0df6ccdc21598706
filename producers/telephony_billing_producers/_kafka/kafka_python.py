"""Kafka through kafka-python: its settings, its corners, and how it is spared work."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from functools import lru_cache

from kafka import KafkaProducer
from kafka.errors import KafkaConfigurationError, KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.partitioner.default import murmur2

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
from .logs import once_a_minute, quiet

_POSITIVE = 0x7FFFFFFF
_MOST_BESIDE = 200  # bytes of a record and its batch beside key and value

# Fixed, because exactness rests on them.
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

_TUNING: Mapping[str, object] = {
    "linger_ms": LINGER_MS,
    "batch_size": BATCH_BYTES,
    "compression_type": COMPRESSION,
    "request_timeout_ms": REQUEST_TIMEOUT_MS,
    "delivery_timeout_ms": DELIVERY_TIMEOUT_MS,
    "max_block_ms": 1_000,
    "metrics_enabled": False,  # the emitter has its own
}


class _LeanProducer(KafkaProducer):  # type: ignore[misc]  # untyped
    """kafka-python's, without what it does for each record in vain here: a fifth of a send.

    These are its own names; where a release has others, it costs what it cost before.
    """

    def __str__(self) -> str:
        """For lines of a log that nobody reads, and that are made all the same."""
        return "producer"

    def _partition(self, _topic: str, partition: int, *_: object) -> int:
        """The one that `send` was given, which was chosen among those that there are."""
        return partition

    def _estimate_size_in_bytes(self, key: bytes, value: bytes, _headers: object) -> int:
        """Enough, with the header that all have."""
        return len(key) + len(value) + _MOST_BESIDE


class KafkaPythonConnection:
    """A connection through kafka-python; see `KafkaConnection`.

    A partition's records are acknowledged in the order in which they were sent. So a look at the first ones tells what
    is done, for less than a callback for each would cost.
    """

    def __init__(self, producer: KafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._sent: defaultdict[int, deque[AcceptedEvent]] = defaultdict(deque)  # by partition

    def send(self, events: Sequence[AcceptedEvent]) -> None:
        """See `KafkaConnection.send`."""
        send, topic = self._producer.send, self._topic
        try:
            partitions = len(self._producer.partitions_for(topic))
            for event in events:
                partition = _partition_of(event.key, partitions)
                event.handed = send(topic, event.value, event.key, HEADERS, partition)
                self._sent[partition].append(event)
        except Exception as error:  # whatever kept it from being sent, the event must not be lost
            raise KafkaAwayError(str(error)) from error

    def answers(self) -> KafkaAnswers:
        """See `KafkaConnection.answers`."""
        acknowledged: list[AcceptedEvent] = []
        append_ms: int | None = None
        failure: BaseException | None = None
        for waiting in list(self._sent.values()):
            while waiting and ((sent := waiting[0].handed) is None or sent.is_done):
                event = waiting.popleft()
                if sent is None:
                    continue  # it was spooled meanwhile
                if sent.exception is not None:
                    failure = sent.exception
                else:
                    acknowledged.append(event)
                    append_ms = sent.value.timestamp
        return KafkaAnswers(acknowledged, append_ms, failure)

    def resend(self, records: Sequence[UsageRecord], patience_seconds: float) -> int | None:
        """See `KafkaConnection.resend`."""
        append_ms: int | None = None
        try:
            partitions = len(self._producer.partitions_for(self._topic))
            for sent in [
                self._producer.send(self._topic, value, key, HEADERS, _partition_of(key, partitions))
                for key, value in records
            ]:
                append_ms = sent.get(timeout=patience_seconds).timestamp
        except KafkaError as error:
            raise KafkaAwayError(str(error)) from error
        return append_ms

    def discard(self) -> None:
        """See `KafkaConnection.discard`."""
        _discard(self._producer)

    def abandon(self) -> None:
        """See `KafkaConnection.abandon`."""
        self._producer._unregister_cleanup()  # noqa: SLF001
        self._producer._closed = True  # noqa: SLF001 - or its __del__ would flush, with a thread that the child doesn't have


@lru_cache(maxsize=10_000)  # kafka-python's hash is written in Python: it would cost a tenth of a send
def _partition_of(key: bytes, partitions: int) -> int:
    """As Kafka's Java client and the platform have it."""
    return int((murmur2(key) & _POSITIVE) % partitions)


def kafka_python_settings(bootstrap_servers: str, options: Mapping[str, object]) -> dict[str, object]:
    """Returns the settings of a producer."""
    return {**_TUNING, **options, **_FIXED, "bootstrap_servers": bootstrap_servers.split(",")}


def open_kafka_python(
    bootstrap_servers: str, topic: str, *, timeout_seconds: float, options: Mapping[str, object]
) -> KafkaPythonConnection:
    """Connects, and makes sure that the topic is there, so that sending to it doesn't wait for metadata.

    Args:
        bootstrap_servers: `host:port`, several separated by commas.
        topic: where the events go; it must exist.
        timeout_seconds: how long to try to connect.
        options: further settings of `kafka.KafkaProducer`, such as how to log in.

    Raises:
        KafkaAwayError: Kafka is away, refuses us, or has no such topic.
        ValueError: an option that `kafka.KafkaProducer` doesn't take, or one that the emitter sets itself.
    """
    taken = sorted(set(options) & _OURS)
    if taken:
        raise ValueError(f"the emitter sets {', '.join(taken)} itself: leave them out")
    settings = {
        **kafka_python_settings(bootstrap_servers, options),
        "bootstrap_timeout_ms": int(timeout_seconds * 1000),
    }
    with quiet():
        try:
            producer = _connect(settings)
        except KafkaConfigurationError as error:
            raise ValueError(f"kafka-python refuses its options: {error}") from error
        except KafkaError as error:
            raise KafkaAwayError(str(error)) from error
        once_a_minute.hold_back(producer._sender)  # noqa: SLF001 - its thread
        try:
            producer.partitions_for(topic)
        except KafkaError as error:
            _discard(producer)
            unknown = isinstance(error, KafkaTimeoutError)
            reason = f"{bootstrap_servers} knows no topic {topic!r}: run `billing topics`" if unknown else str(error)
            raise KafkaAwayError(reason) from error
        return KafkaPythonConnection(producer, topic)


def _connect(options: Mapping[str, object]) -> KafkaProducer:
    """A producer, or an error and nothing left open: kafka-python 3.0 forgets its client when it cannot connect."""
    clients: list[KafkaNetClient] = []

    def make_client(**client_options: object) -> KafkaNetClient:
        clients.append(KafkaNetClient(**client_options))
        return clients[-1]

    try:
        return _LeanProducer(kafka_client=make_client, **options)
    except BaseException:
        for client in clients:
            client.close()
        raise


def _discard(producer: KafkaProducer) -> None:
    """Closes a producer at once; what it hasn't delivered fails. Its connections close in its own thread."""
    with quiet():
        try:
            producer.close(timeout=0)
        except KafkaError:
            # kafka-python 3.0's close() gives up before it stops its thread when a record is still undelivered.
            producer._sender.force_close()  # noqa: SLF001
            producer._closed = True  # noqa: SLF001 - or its __del__ would try again
