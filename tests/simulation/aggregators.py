"""An aggregator: the product's folds, dispatcher and readiness, around the simulated consumer."""

import asyncio
from collections.abc import Sequence

from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from aggregator.dispatch import Dispatcher
from aggregator.folds.fold import Fold
from aggregator.folds.table import TableFold
from aggregator.folds.usage import UsageFold, UsageTopics
from aggregator.owned_shards import PositionedShards
from aggregator.publisher import Message
from aggregator.readiness import ReadinessLoop
from runtime.retrying import RETRIABLE
from runtime.topics import DEAD_LETTER_MAX_BYTES
from tests.simulation import names
from tests.simulation.consumer import SimulatedConsumer
from tests.simulation.kafka import Appending, SimulatedKafka
from tests.simulation.process import Process

GIVE_UP_SECONDS = 60.0


class SimulatedPublisher:
    """The aggregator's way to write to Kafka."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka

    async def publish(self, messages: Sequence[Message]) -> None:
        """Raises if any of them may not be in the log; one that aiokafka does not take is replaced."""
        await asyncio.gather(*(self._kafka.produce(_appending(_taken(each))) for each in messages))


class Aggregator(Process):
    """Folds usage, accounts and keys, and marks shards ready."""

    async def run(self) -> None:
        """Starts; it has no shards before the group tells it so."""
        self._publisher = SimulatedPublisher(self.world.kafka)
        dispatcher = Dispatcher(
            self._make_fold, positions=lambda: self.consumer.positions, stop=self._stop, monotonic=self.clock.monotonic
        )
        self.consumer = SimulatedConsumer(
            self.world.kafka, self.world.weather, self.random, dispatcher.open, self._stop
        )
        shards = PositionedShards(lambda: self.consumer.positions, names.FOLDED, names.PARTITIONS)
        readiness = ReadinessLoop(shards, self.ledger.shard, pause=self.clock.sleep, now_ms=self.clock.now_ms)
        self._turn = asyncio.Lock()
        await asyncio.gather(
            self.consumer.fetch_forever(),
            self.consumer.commit_forever(),
            self.consumer.try_forever(),
            self.consumer.dispatch_forever(dispatcher),
            readiness.run(RETRIABLE, GIVE_UP_SECONDS),
        )

    async def told(self, shards: set[int]) -> None:
        """A rebalance."""
        async with self._turn:
            await self.consumer.rebalance(
                {TopicPartition(topic, shard) for topic in names.FOLDED.values() for shard in shards}
            )

    def _stop(self, error: BaseException) -> None:
        self.world.ended(self, error)

    def _make_fold(self, tp: TopicPartition) -> Fold:
        shard = self.ledger.shard(tp.partition)
        if tp.topic == names.USAGE:
            usage_topics = UsageTopics(names.USAGE, names.DEAD_LETTERS)
            return UsageFold(
                shard, usage_topics, names.PARTITIONS, self._publisher, self.incarnation, now_ms=self.clock.now_ms
            )
        log = next(log for log, topic in names.FOLDED.items() if topic == tp.topic)
        topics = (tp.topic, names.DEAD_LETTERS)
        return TableFold(
            shard, log, topics, names.PARTITIONS, self._publisher, self.incarnation, now_ms=self.clock.now_ms
        )


def check_message(message: Message) -> None:
    """Refuses what aiokafka's producer refuses."""
    assert message.key is not None or message.value is not None, "Need at least one: key or value"
    headers = sum(len(name) + len(value or b"") for name, value in message.headers)
    if len(message.key or b"") + len(message.value or b"") + headers > DEAD_LETTER_MAX_BYTES:
        raise MessageSizeTooLargeError


def _taken(message: Message) -> Message:
    """The message, or what is written instead where it is too large."""
    try:
        check_message(message)
    except MessageSizeTooLargeError:
        if message.instead is None:
            raise
        return _taken(message.instead())
    return message


def _appending(message: Message) -> Appending:
    headers = [(name, value or b"") for name, value in message.headers]
    return Appending((message.topic, message.partition or 0), message.key, message.value, headers)
