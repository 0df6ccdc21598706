"""An aggregator: the product's folds, dispatcher and readiness, around the simulated consumer."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from aggregator.app import FaustShards
from aggregator.dispatch import Dispatcher
from aggregator.fold import Fold
from aggregator.publisher import Message
from aggregator.readiness import ReadinessLoop
from aggregator.retrying import RETRIABLE
from aggregator.table_fold import TableFold
from aggregator.usage_fold import UsageFold, UsageTopics
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
        """Raises if any of them may not be in the log."""
        await asyncio.gather(
            *(
                self._kafka.produce(
                    Appending(
                        (each.topic, each.partition or 0),
                        each.key,
                        each.value,
                        [(name, value or b"") for name, value in each.headers],
                    )
                )
                for each in messages
            )
        )


class Aggregator(Process):
    """Folds usage, accounts and keys, and marks shards ready."""

    async def run(self) -> None:
        """Starts; it has no shards before the group tells it so."""
        self._publisher = SimulatedPublisher(self.world.kafka)
        dispatcher = Dispatcher(
            self._make_fold, positions=lambda: self.consumer, stop=self._stop, monotonic=self.clock.monotonic
        )
        self.consumer = SimulatedConsumer(
            self.world.kafka, self.world.weather, self.random, dispatcher.open, self._stop
        )
        app = cast("Any", SimpleNamespace(consumer=self.consumer))
        readiness = ReadinessLoop(
            FaustShards(app, names.FOLDED), self.ledger.shard, pause=self.clock.sleep, now_ms=self.clock.now_ms
        )
        self._turn = asyncio.Lock()
        await asyncio.gather(
            self.consumer.fetch_forever(),
            self.consumer.commit_forever(),
            self.consumer.dispatch_forever(dispatcher),
            readiness.run(RETRIABLE, GIVE_UP_SECONDS),
        )

    async def told(self, shards: set[int]) -> None:
        """A rebalance."""
        async with self._turn:
            await self.consumer.rebalance({TP(topic, shard) for topic in names.FOLDED.values() for shard in shards})

    def _stop(self, error: BaseException) -> None:
        self.world.ended(self, error)

    def _make_fold(self, tp: TP) -> Fold:
        shard = self.ledger.shard(tp.partition)
        if tp.topic == names.USAGE:
            topics = UsageTopics(names.USAGE, names.DEAD_LETTERS)
            return UsageFold(
                shard, topics, names.PARTITIONS, self._publisher, self.incarnation, now_ms=self.clock.now_ms
            )
        log = next(log for log, topic in names.FOLDED.items() if topic == tp.topic)
        return TableFold(
            shard, log, (tp.topic, names.DEAD_LETTERS), names.PARTITIONS, self._publisher, self.incarnation
        )


def _appending(message: Message) -> Appending:
    headers = [(name, value or b"") for name, value in message.headers]
    return Appending((message.topic, message.partition or 0), message.key, message.value, headers)
