"""Reading the orders to pass offsets by, on a real Kafka."""

import asyncio
import gzip
import logging

import pytest

from aggregator.order_reader import OrderReader
from metering.quarantine import OrderKey, QuarantineOrder, QuarantineOrders
from ops.logs.table_log import write_records
from runtime.record_batch import UnreadableBatchError
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics
from runtime.unpacking import MAX_UNPACKED_BYTES
from tests.support import raw_batches
from tests.support.eventually import eventually_async

BOMB = raw_batches.batch([raw_batches.record(0, b"key", bytes(2 * MAX_UNPACKED_BYTES))], 1, gzip.compress)


async def test_what_can_not_be_read_ends_nobody_who_runs(
    kafka_bootstrap: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever runs goes on by the orders that it knows, and says so once; nobody starts without knowing all."""
    settings = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=1)
    names, orders = TopicNames(topic_prefix), QuarantineOrders()
    await asyncio.to_thread(create_topics, settings)
    order = QuarantineOrder(offset=3, end=5, why="a bomb", who="ops", time=1_800_000_000)
    key = str(OrderKey(names.usage, 0, 3))
    await asyncio.to_thread(write_records, settings, names.quarantine, {key: order.to_json()})
    reader = OrderReader(names.quarantine, settings, orders, lambda _: None)
    await reader.start()
    running = asyncio.create_task(reader.run())

    await raw_batches.write(kafka_bootstrap, names.quarantine, [(0, BOMB)])

    async def said() -> bool:
        return "not known, and not obeyed" in caplog.text

    with caplog.at_level(logging.ERROR):
        await eventually_async(said, what="a line")
    assert list(orders.of(names.usage, 0)) == [order]
    assert not running.done()
    await reader.stop()
    await asyncio.gather(running, return_exceptions=True)
    another = OrderReader(names.quarantine, settings, QuarantineOrders(), lambda _: None)
    with pytest.raises(UnreadableBatchError, match=f"{names.quarantine}-0: the batch at offset 1 can't be read"):
        await another.start()
    await another.stop()
