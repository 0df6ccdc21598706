"""Reads all orders to pass offsets by; and reads a log without the offsets that they name."""

from collections.abc import Iterator, Sequence

from ledger.state import Log, ShardState
from metering.counting import LogRecord
from metering.quarantine import QuarantineOrder, QuarantineOrders, passed_by, stretches
from ops.logs.reader import LogReader

REBUILD = "billing rebuild --shard {} lets it come to what every later refold comes to"


def read_orders(reader: LogReader, topic: str) -> QuarantineOrders:
    """Returns all orders up to the present end of the topic.

    Raises:
        OpsError: Kafka does not answer, or the topic is missing.
    """
    orders = QuarantineOrders()
    for partition, held in reader.bounds(topic).items():
        for records in reader.read(topic, partition, *held):
            for record in records:
                orders.fold((record.key or b"").decode(errors="replace"), record.value)
    return orders


def read_folded(
    reader: LogReader, topic: str, partition: int, start: int, end: int, orders: Sequence[QuarantineOrder]
) -> Iterator[list[LogRecord]]:
    """Yields the records of [start, end) that the aggregator folds: not those that the log's `orders` pass by.

    Raises:
        OpsError: Kafka no longer holds `start`, or stops answering.
    """
    for stretch in stretches(orders, start, end):
        if stretch.order is None:
            yield from reader.read(topic, partition, stretch.start, stretch.end)


def late_offsets(orders: Sequence[QuarantineOrder], state: ShardState) -> int:
    """Returns the number of offsets that a shard counted before an order came to pass them by.

    A negative number: the shard passed by that many offsets for which there is no order any more.
    """
    fence = state.fences.get(Log.USAGE, state.began)
    return passed_by(orders, state.began, fence) - state.conservation.quarantined
