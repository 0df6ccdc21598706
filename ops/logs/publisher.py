"""Writes to Kafka for the commands that publish again: in order, acknowledged by all in-sync replicas."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from aggregator.publisher import Message
from ops.console.errors import OpsError
from runtime.kafka_reaching import connected
from runtime.settings import KafkaSettings
from runtime.topics import DEAD_LETTER_MAX_BYTES

ACKNOWLEDGE_SECONDS = 30.0  # seconds until Kafka must have acknowledged


class UsagePublisher:
    """A Kafka producer for one command.

    Raises:
        KafkaUnreachableError: Kafka does not answer.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._servers = settings.kafka_bootstrap_servers
        self._producer = connected(
            KafkaProducer,
            settings,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            max_request_size=DEAD_LETTER_MAX_BYTES,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._producer.close(timeout=ACKNOWLEDGE_SECONDS)

    def publish(self, messages: Sequence[Message]) -> None:
        """Writes the records, and returns once Kafka has acknowledged all of them.

        Raises:
            OpsError: Kafka did not take them all; some may be there.
        """
        try:
            sent = [
                self._producer.send(
                    message.topic,
                    key=message.key,
                    value=message.value or b"",
                    headers=[(name, value or b"") for name, value in message.headers],
                    partition=message.partition,
                )
                for message in messages
            ]
            self._producer.flush(ACKNOWLEDGE_SECONDS)
            for each in sent:
                each.get(timeout=ACKNOWLEDGE_SECONDS)
        except KafkaError as error:
            raise OpsError(
                f"Kafka at {self._servers} did not acknowledge all records ({type(error).__name__}: {error}): run the "
                "command again once it does; what was taken already is known as a duplicate"
            ) from error
