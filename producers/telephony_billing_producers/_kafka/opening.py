"""Opens a connection with the client that the settings name."""

from collections.abc import Callable

from ..settings import EmitterSettings
from .connection import KafkaConnection
from .kafka_python import open_kafka_python


def open_connection(settings: EmitterSettings, topic: str) -> KafkaConnection:
    """Connects, and checks that the topic exists, so that sending to it doesn't wait for metadata.

    Raises:
        KafkaAwayError: Kafka is away, refuses us, or has no such topic.
        ValueError: the client doesn't take an option, the emitter sets it itself, or there is no such client.
        ImportError: the client is not installed.
    """
    return _client(settings.client)(
        settings.bootstrap_servers,
        topic,
        timeout_seconds=settings.connect_timeout_seconds,
        options=settings.kafka_options,
    )


def _client(name: str) -> Callable[..., KafkaConnection]:
    if name == "kafka-python":
        return open_kafka_python
    if name != "librdkafka":
        raise ValueError(f"there is no client {name!r}: use kafka-python or librdkafka")
    try:
        from .librdkafka import open_librdkafka  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError("client='librdkafka' needs telephony-billing-producers[librdkafka]") from error
    return open_librdkafka
