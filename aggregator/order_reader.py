"""Reads the orders to pass offsets by: all there are before anything is folded, then whatever comes."""

import logging
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError

from metering.quarantine import OrderKey, QuarantineOrders
from runtime.async_consumer import AsyncConsumer
from runtime.kafka import async_options
from runtime.record_batch import UnreadableBatchError
from runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

POLL_MS = 1000


class OrderReader:
    """A Kafka consumer without a group, since every process must know every order."""

    def __init__(
        self, topic: str, settings: KafkaSettings, orders: QuarantineOrders, arrived: Callable[[OrderKey], None]
    ) -> None:
        """`orders` is kept up to date; `arrived` is told of each order that comes while the process runs."""
        self._orders = orders
        self._arrived: Callable[[OrderKey], None] = lambda _: None
        self._tell = arrived
        self._topic = topic
        self._settings = settings
        self._consumer: AsyncConsumer | None = None
        self._started = False
        self._met: set[str] = set()

    async def start(self) -> None:
        """Returns once everything that was there is read.

        Raises:
            UnreadableBatchError: what it orders can't be known: nothing may be folded without it.
        """
        consumer = AsyncConsumer(
            self._topic, auto_offset_reset="earliest", isolation_level="read_committed", **async_options(self._settings)
        )
        self._consumer = consumer
        await consumer.start()
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            await self._read(consumer)
        self._arrived, self._started = self._tell, True

    async def run(self) -> None:
        """Reads on until it is stopped, once it was started."""
        try:
            while self._consumer is not None:
                await self._read(self._consumer)
        except ConsumerStoppedError:
            if self._consumer is not None:
                raise

    async def stop(self) -> None:
        """Leaves Kafka."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    def _meet(self, fault: UnreadableBatchError) -> None:
        """A process that begins must know every order; one that runs goes on by those that it knows, and says so."""
        if not self._started:
            raise fault
        if str(fault) not in self._met:
            self._met.add(str(fault))
            log.error(
                "%s. What it orders is not known, and not obeyed; no aggregator can start before it is restored from a "
                "replica, or from a copy of the broker's disk (docs/operating/unreadable-batches.md)",
                fault,
            )

    async def _read(self, consumer: AsyncConsumer) -> None:
        fetched: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=POLL_MS)
        for place, fault in consumer.unreadable.items():
            self._meet(fault.at(self._topic, place.partition))
        for record in (record for records in fetched.values() for record in records):
            name = (record.key or b"").decode(errors="replace")
            place = self._orders.fold(name, record.value)
            if place is None:
                log.error("%s: the order %r is not obeyed: %s", self._topic, name, self._orders.faults[name])
            else:
                self._arrived(place)
