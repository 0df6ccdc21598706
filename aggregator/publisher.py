"""What the aggregator itself writes to Kafka: dead letters, and copies for the partition that an account belongs to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaProducer

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Message:
    """One record to be written; `partition` None leaves the choice to the client."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None


class Publisher(Protocol):
    """Writes records and returns once every one is acknowledged."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Raises a Kafka error if any of the records may not have been written; some may have been."""
        ...


class SilentPublisher:
    """Writes nothing: beside a second copy of the state, the first one's workers write what must be written."""

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Lets the records go."""


class KafkaPublisher:
    """A `Publisher` on an aiokafka producer that waits for all replicas; made when it starts, in the running loop."""

    def __init__(self, make_producer: Callable[[], AIOKafkaProducer]) -> None:
        self._make_producer = make_producer
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connects."""
        self._producer = self._make_producer()
        await self._producer.start()

    async def stop(self) -> None:
        """Sends what is buffered and disconnects."""
        if self._producer is not None:
            await self._producer.stop()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hands all records over, then waits for all acknowledgements."""
        if self._producer is None:
            raise RuntimeError("the publisher was not started")
        waiting = [
            await self._producer.send(
                message.topic, message.value, message.key, message.partition, headers=list(message.headers)
            )
            for message in messages
        ]
        await asyncio.gather(*waiting)
