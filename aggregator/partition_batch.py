"""What is read of one partition's log at a time, and where its reading goes on."""

from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import TopicPartition

from metering.counting import Interval, Mark
from metering.stop import ShardStoppedError


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """An interval of one partition, and the generation of the partition's chain that it belongs to.

    `fault` is why the log can't be read on after the interval, which may be empty then.
    """

    tp: TopicPartition
    interval: Interval
    generation: int
    fault: ShardStoppedError | None = None


class ChainLink(NamedTuple):
    """Where a chain of intervals goes on, the generation that began with its last seek, and the last record before."""

    offset: int
    generation: int
    last: Mark | None = None
