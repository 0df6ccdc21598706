"""Faust's consumer and its thread, around the product's positions: what each hook hands on."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from aggregator.faust_adapter.app import create_app
from aggregator.faust_adapter.consumer import BatchConsumer
from aggregator.faust_adapter.fetch_thread import BatchThread
from aggregator.liveness import Liveness
from aggregator.metrics import AggregatorMetrics
from aggregator.partition_batch import ChainLink, PartitionBatch
from aggregator.settings import AggregatorSettings
from metering.counting import Interval

USAGE = TP("usage.events", 0)
OTHER = TP("usage.events", 1)
TABLE = TP("billing.accounts", 0)
LINK = ChainLink(100, 1)


@pytest.fixture
def consumer() -> BatchConsumer:
    """A consumer that is not started."""
    app = create_app(AggregatorSettings(), Liveness(), AggregatorMetrics(CollectorRegistry()))

    async def ignore(*_: Iterable[TP]) -> None:
        """What Faust would do."""

    return app.transport.create_consumer(ignore, on_partitions_revoked=ignore, on_partitions_assigned=ignore)


@pytest.fixture
def thread(consumer: BatchConsumer) -> BatchThread:
    """The client's thread, not started."""
    return consumer._new_consumer_thread()


async def test_a_batch_of_an_older_generation_is_not_handed_over(consumer: BatchConsumer, monkeypatch) -> None:
    """Nor is a batch handed over of a partition that was revoked since it was read."""
    taken: list[PartitionBatch] = []

    async def sink(batch: PartitionBatch) -> None:
        taken.append(batch)

    monkeypatch.setattr(consumer, "_sink", sink)
    await consumer.on_partitions_revoked({USAGE})
    batch = PartitionBatch(USAGE, Interval(100, 110, ()), generation=1)
    await consumer.hand_over(batch)
    await consumer.on_partitions_revoked({USAGE})
    await consumer.hand_over(batch)

    assert taken == [batch]


@dataclass
class Client:
    """What of aiokafka's client decides whether a partition is read."""

    held: set[TP]
    positions: dict[TP, int] = field(default_factory=dict)
    paused: set[TP] = field(default_factory=set)

    def assignment(self) -> set[TP]:
        """The partitions that are held."""
        return self.held

    def seek(self, tp: TP, offset: int) -> None:
        """Reads on from there."""
        self.positions[tp] = offset

    def pause(self, tp: TP) -> None:
        """Reads no more."""
        self.paused.add(tp)

    def resume(self, *tps: TP) -> None:
        """Reads on."""
        self.paused -= set(tps)


async def test_a_partition_rests_until_a_chain_begins(thread: BatchThread, monkeypatch) -> None:
    """It is not fetched; and it has a position, without which aiokafka fetches nothing from its broker."""
    client = Client({USAGE, OTHER})
    monkeypatch.setattr(thread, "_ensure_consumer", lambda: client)
    await thread._begin({USAGE: LINK, OTHER: LINK})

    await thread._rest(USAGE, LINK.generation)
    await thread._rest(TABLE, 1)  # which is not held
    assert (thread.chains.links.keys(), client.paused) == ({OTHER}, {USAGE})
    assert USAGE in client.positions

    await thread._begin({USAGE: ChainLink(100, 2)})
    await thread._rest(USAGE, 1)  # late
    assert (thread.chains.links[USAGE], client.paused, client.positions[USAGE]) == (ChainLink(100, 2), set(), 100)


async def test_a_position_outside_of_the_log_is_found_again(consumer: BatchConsumer, monkeypatch) -> None:
    """Where the log begins and ends now decides what it means: the record of the mark may just have expired."""
    thread = consumer._new_consumer_thread()
    thread.parent_loop = asyncio.get_running_loop()
    told: list[tuple[TP, str]] = []
    monkeypatch.setattr(consumer.positions, "resync", lambda tp, reason: told.append((tp, reason)))

    thread._report_outside({USAGE: 97})
    await asyncio.sleep(0)

    assert told == [(USAGE, "97 is outside of the log")]
