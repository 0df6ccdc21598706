"""Foreign clients: librdkafka with all of Kafka's codecs, and one that writes any header name."""

from collections.abc import Callable
from random import Random

from confluent_kafka import KafkaException, Producer
from kafka import KafkaProducer

from tests.chaos.poison import Headers, NotUtf8

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
MOST_BYTES = 8 * 1024 * 1024  # before it is packed
LINGER_MS = 20  # several records a batch, so that there is something to pack

Answer = Callable[[object], None]


class ForeignClients:
    """Their partitioners are not Kafka's own: nearly every event lands on another account's partition.

    None of them is idempotent: what is sent again after a fault may be in the log twice.
    """

    def __init__(self, bootstrap: str, topic: str, random: Random) -> None:
        self._topic = topic
        self._random = random
        shared = {"bootstrap.servers": bootstrap, "linger.ms": LINGER_MS, "acks": "all", "log_level": 0}
        self._clients = [
            Producer({**shared, "compression.type": codec, "message.max.bytes": MOST_BYTES}) for codec in CODECS
        ]
        self._strange = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=LINGER_MS)

    def produce(self, value: bytes | None, key: bytes | None, headers: Headers, answered: Answer) -> None:
        """Publishes through one of them; `answered` is told the error, or None, perhaps in another thread."""
        if any(isinstance(name, NotUtf8) for name, _ in headers):
            self._produce_strange(value, key, headers, answered)
            return
        try:
            self._random.choice(self._clients).produce(
                self._topic, value, key, headers=list(headers), on_delivery=lambda error, _: answered(error)
            )
        except (BufferError, KafkaException) as error:
            answered(error)

    def _produce_strange(self, value: bytes | None, key: bytes | None, headers: Headers, answered: Answer) -> None:
        sent = self._strange.send(self._topic, value, key, headers=list(headers))
        sent.add_callback(lambda _: answered(None))
        sent.add_errback(answered)

    def poll(self) -> None:
        """Lets them answer."""
        for client in self._clients:
            client.poll(0)

    def waiting(self) -> int:
        """The number of records in flight, as far as it is known."""
        return sum(map(len, self._clients))

    def close(self) -> None:
        """Sends what is buffered."""
        self._strange.close(timeout=1)
