"""What the aggregator itself writes to Kafka: dead letters, and copies for the partition that an account belongs to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)  # by the client's word or by the broker's

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Message:
    """One record to be written; `partition` None leaves the choice to the client.

    `instead` gives what is written where Kafka takes the record for too large: one record is no reason to stop.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None
    instead: "Callable[[], Message] | None" = field(default=None, compare=False)


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
    """A `Publisher` on an aiokafka producer that waits for all replicas; made when it starts, in the running loop.

    The producer must not be idempotent: after one record that is refused it writes no other (decision 0022).
    """

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
        """Hands all records over, then waits for all acknowledgements; what is refused as too large is replaced."""
        while messages:
            sent = [await self._send(message) for message in messages]
            results = await asyncio.gather(*sent, return_exceptions=True)
            messages = [
                _replacement(message, result)
                for message, result in zip(messages, results, strict=True)
                if isinstance(result, BaseException)
            ]

    async def _send(self, message: Message) -> "asyncio.Future[object]":
        if self._producer is None:
            raise RuntimeError("the publisher was not started")
        try:
            sent: asyncio.Future[object] = await self._producer.send(
                message.topic, message.value, message.key, message.partition, headers=list(message.headers)
            )
        except TOO_LARGE as error:
            sent = asyncio.get_running_loop().create_future()
            sent.set_exception(error)
        return sent


def _replacement(message: Message, error: BaseException) -> Message:
    if isinstance(error, TOO_LARGE) and message.instead is not None:
        return message.instead()
    raise error
