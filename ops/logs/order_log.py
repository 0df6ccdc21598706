"""The orders to pass offsets by, read whole; and a log read without what they are about."""

from collections.abc import Iterator, Sequence

from ledger.state import Log, ShardState
from metering.counting import LogRecord
from metering.quarantine import QuarantineOrder, QuarantineOrders, passed_by, stretches
from ops.logs.reader import LogReader

REBUILD = "billing rebuild --shard {} lets it come to what every later refold comes to"


def read_orders(reader: LogReader, topic: str) -> QuarantineOrders:
    """All orders as of now.

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
    """The records of [start, end) that a fold folds: without those that `orders`, the log's own, pass by.

    Raises:
        OpsError: Kafka no longer holds `start`, or stops answering.
    """
    for stretch in stretches(orders, start, end):
        if stretch.order is None:
            yield from reader.read(topic, partition, stretch.start, stretch.end)


def late_offsets(orders: Sequence[QuarantineOrder], state: ShardState) -> int:
    """How many offsets of the usage log a shard has counted before an order came to pass them by.

    Below 0: so many were passed by, of which no order tells any more.
    """
    fence = state.fences.get(Log.USAGE, state.began)
    return passed_by(orders, state.began, fence) - state.conservation.quarantined
