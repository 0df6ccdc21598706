"""What Kafka tells for a status: where the logs end, what is ordered, what holds them up; read within a time."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from kafka import TopicPartition

from metering.quarantine import QuarantineOrders
from ops.console.errors import OpsError
from ops.logs.append_time import append_ms_at
from ops.logs.open_transactions import OpenTransaction
from ops.logs.order_log import read_orders
from ops.logs.reader import Bounds, LogReader
from runtime.record_batch import UnreadableBatchError
from runtime.topics import TopicNames

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KafkaView:
    """One moment. `waiting_ms`: the append time of the record that each shard must fold next, Unix milliseconds."""

    usage: Mapping[int, Bounds]
    pushes: Mapping[int, Bounds]
    orders: QuarantineOrders = field(default_factory=QuarantineOrders)
    held: Mapping[TopicPartition, OpenTransaction] = field(default_factory=dict)
    waiting_ms: Mapping[int, int | None] = field(default_factory=dict)


def view_kafka(
    reader: LogReader,
    topics: TopicNames,
    fences: Mapping[int, int],
    find_open: Callable[[], Mapping[TopicPartition, OpenTransaction]],
) -> KafkaView:
    """Asks after the fences were read: no lag is negative by the order of reads, and no order is late by it.

    Args:
        reader: Kafka.
        topics: whose.
        fences: of the usage log, by shard.
        find_open: gives the partitions that an open transaction holds back.

    Raises:
        OpsError: Kafka does not answer, or a topic is missing.
    """
    usage, pushes = reader.bounds(topics.usage), reader.bounds(topics.pushes)
    orders, held = read_orders(reader, topics.quarantine), find_open()
    waiting = {
        shard: _waiting(reader, topics.usage, shard, Bounds(fence, usage[shard].end))
        for shard, fence in fences.items()
        if shard in usage and usage[shard].earliest <= fence < usage[shard].end
    }
    return KafkaView(usage, pushes, orders, held, waiting)


def _waiting(reader: LogReader, topic: str, shard: int, rest: Bounds) -> int | None:
    with suppress(UnreadableBatchError, OpsError):
        return append_ms_at(reader, topic, shard, rest)
    return None  # the aggregator says why nothing gets on there


async def within(seconds: float, ask: Callable[[], T]) -> T:
    """What a blocking call gives, in a thread that is left behind where it takes too long: a frozen server's client.

    Raises:
        TimeoutError: it took too long.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(value: T | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(value)  # type: ignore[arg-type]  # a value of T, where there is no error
        else:
            answer.set_exception(error)

    def run() -> None:
        try:
            said = ask(), None
        except Exception as error:
            said = None, error  # type: ignore[assignment]
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(tell, *said)

    threading.Thread(target=run, daemon=True).start()
    async with asyncio.timeout(seconds):
        return await answer
