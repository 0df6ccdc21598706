"""What `Positions` needs of a Kafka consumer, whoever runs it: Faust, or the simulation."""

from collections.abc import Coroutine, Mapping, Set
from typing import Any, Protocol

from aiokafka import TopicPartition

from aggregator.log_check import LogBounds
from aggregator.partition_batch import ChainLink


class Broker(Protocol):
    """A member of the consumer group. Its calls raise what `runtime.retrying.RETRIABLE` names while Kafka is away."""

    def assignment(self) -> Set[TopicPartition]:
        """The partitions that this process has; after a revocation they may stay until the rebalance has ended."""
        ...

    async def bounds(self, tps: Set[TopicPartition]) -> dict[TopicPartition, LogBounds]:
        """What the logs hold now: earliest and last stable offsets, and what was committed."""
        ...

    async def stable_ends(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:
        """The last stable offsets, as of now: what a reader of committed records can read up to."""
        ...

    async def high_watermarks(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:
        """Up to where records are acknowledged, whether or not they can be read yet."""
        ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Tells Kafka how far the folds are; False where that failed."""
        ...

    async def begin(self, links: Mapping[TopicPartition, ChainLink]) -> None:
        """Seeks, and begins new chains there."""
        ...

    async def rest(self, tp: TopicPartition, generation: int) -> None:
        """Reads no more of a partition, unless a chain has begun there since that generation."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a task that ends with the consumer."""
        ...

    async def crash(self, error: BaseException) -> None:
        """Ends the process: nobody can go on after this error."""
        ...

    def is_stopping(self) -> bool:
        """Whether the consumer is being stopped."""
        ...
