"""The thread that owns aiokafka's client: it reads on from each partition's position, as `Chains` says.

It looks back to the last record that was folded when the client has renewed what it knows of the cluster, which it does
after every error, and when the process was frozen or held up: a topic may have been deleted and made again in between.

What is overridden, and why, of faust-streaming 0.15 on aiokafka 0.14 (of aiokafka itself: `runtime.async_consumer`):

- `BatchThread._create_worker_consumer`: read committed, never reset an offset, our own assignor and fetch settings.
- `BatchThread.on_start`: looks back, and for added partitions, whenever the cluster's metadata is renewed.
- `BatchThread._fetch_records`: gives batches, control-only ones included.
- `BatchThread.on_partitions_revoked`: ends the chains, in the thread that owns the client.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import Any, Protocol, cast

from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import ConsumerStoppedError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from aggregator.chains import Chains
from aggregator.faust_adapter.assignor import ShardAssignor, is_complete
from aggregator.partition_batch import ChainLink, PartitionBatch
from runtime.async_consumer import AsyncConsumer
from runtime.log_ends import high_watermarks

POLL_SECONDS = 0.2
AWAY_SECONDS = POLL_SECONDS + 0.3  # reads follow one another sooner, unless the process was frozen or held up
# The broker holds an answer until it has so much, or for so long: a batch is dozens or hundreds of events, not three,
# which halves the work; what is counted is fresh within a tenth of a second all the same.
COALESCE_BYTES = 1 << 20
COALESCE_MS = 40
METADATA_MS = 60_000  # partitions that somebody adds are found within it; each renewal makes every chain look back


class Resyncing(Protocol):
    """What the thread tells `Positions`."""

    def resync(self, tp: TopicPartition, reason: str) -> None: ...  # noqa: D102


class Positioned(Protocol):
    """What the thread takes from its consumer."""

    positions: Resyncing


class FetchSettings(Protocol):
    """What the thread takes from its transport: topics that are compacted, and the client's own options."""

    compacted: Set[str]
    client_options: dict[str, Any]


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that owns aiokafka's client. `chains` are touched by it alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chains = Chains(cast("FetchSettings", self.transport).compacted)
        self._last_read = time.monotonic()
        self._looked_back = False  # everywhere, since the last read

    async def on_start(self) -> None:
        """Connects."""
        await super().on_start()
        client = self._ensure_consumer()._client  # noqa: SLF001 - aiokafka tells nobody else of new metadata
        client.cluster.add_listener(self._renewed)

    def _renewed(self, cluster: ClusterMetadata) -> None:
        """The client knows anew what the cluster has: perhaps another log, perhaps more partitions.

        Aiokafka has the group's leader alone look for added partitions. A static member that comes back is not told
        that it leads, so that every member looks.
        """
        self._look_back_everywhere()
        owned, known = defaultdict[str, set[int]](set), {}
        for topic, partition in self._ensure_consumer().assignment():
            owned[topic].add(partition)
            known[topic] = cluster.partitions_for_topic(topic) or set()
        if not is_complete(owned, known):
            ShardAssignor.call()
            self._ensure_consumer()._coordinator.request_rejoin()  # noqa: SLF001

    def _create_worker_consumer(self, transport: driver.Transport) -> AsyncConsumer:
        conf = self.app.conf
        self._assignor = ShardAssignor
        return AsyncConsumer(
            pass_by=self.chains.passes_by,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            partition_assignment_strategy=[ShardAssignor],
            metadata_max_age_ms=METADATA_MS,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_poll_records=conf.broker_max_poll_records,
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=COALESCE_MS,
            fetch_min_bytes=COALESCE_BYTES,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            **cast("FetchSettings", transport).client_options,
        )

    async def _fetch_records(  # type: ignore[override]
        self,
        consumer: AsyncConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, PartitionBatch]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher  # noqa: SLF001 - aiokafka has no public read that also gives the position
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        subscriptions = fetcher._subscriptions  # noqa: SLF001
        with subscriptions.fetch_context():
            try:
                fetched = await fetcher.fetched_records(active_partitions, timeout=timeout, max_records=max_records)
            except NoOffsetForPartitionError:  # between the assignment and our seek
                return {}
            except OffsetOutOfRangeError as error:
                self._report_outside(error.args[0])
                return {}
        away, looked_back, self._looked_back = self._was_away(), self._looked_back, False
        if away and not looked_back:
            self._look_back_everywhere()
            return {}
        # No await from the read to here: the positions are those right after it.
        assignment = subscriptions.subscription and subscriptions.subscription.assignment
        if assignment is None:
            return {}
        batches = [
            self.chains.next_batch(
                tp,
                fetched.get(tp, ()),
                assignment.state_value(tp)._position,  # noqa: SLF001
                consumer.unreadable.get(tp),
            )
            for tp in self.chains.links.keys() & assignment.tps
        ]
        if away:  # what was read is compared all the same: a reader that is slow for good must get on
            self._look_back_everywhere()
        return {batch.tp: batch for batch in batches if batch is not None}

    def _was_away(self) -> bool:
        """Whether the last read was so long ago that a topic may have been deleted and made again since."""
        before, self._last_read = self._last_read, time.monotonic()
        return self._last_read - before > AWAY_SECONDS

    def _report_outside(self, positions: Mapping[TopicPartition, int]) -> None:
        for tp, offset in positions.items():
            resync = cast("Positioned", self.consumer).positions.resync
            self.parent_loop.call_soon_threadsafe(resync, tp, f"{offset} is outside of the log")

    async def committed(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:
        """How far Kafka was told that each partition is folded; 0 for never."""
        return cast("dict[TopicPartition, int]", await self.call_thread(self._committed, tps))

    async def _committed(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:
        consumer = self._ensure_consumer()
        return {tp: await consumer.committed(tp) or 0 for tp in tps}

    async def high_watermarks(self, tps: Set[TopicPartition]) -> dict[TopicPartition, int]:
        """Up to where each partition's records are acknowledged, whether or not they can be read yet."""
        return cast("dict[TopicPartition, int]", await self.call_thread(high_watermarks, self._ensure_consumer(), tps))

    async def begin(self, links: Mapping[TopicPartition, ChainLink]) -> None:
        """Seeks, and begins new chains there."""
        await self.call_thread(self._begin, links)

    async def _begin(self, links: Mapping[TopicPartition, ChainLink]) -> None:
        self._ensure_consumer().resume(*(TopicPartition(*tp) for tp in links))  # which Faust has as its own type
        self._seek(self.chains.begin(links))

    async def rest(self, tp: TopicPartition, generation: int) -> None:
        """Reads no more of a partition, unless a chain has begun there since that generation."""
        await self.call_thread(self._rest, tp, generation)

    async def _rest(self, tp: TopicPartition, generation: int) -> None:
        consumer = self._ensure_consumer()
        if tp not in consumer.assignment() or not self.chains.end(tp, generation):
            return
        consumer.seek(tp, 0)  # a partition without a position holds up all others that its broker leads
        consumer.pause(TopicPartition(*tp))

    def _seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        for tp, offset in offsets.items():
            self._ensure_consumer().seek(tp, offset)

    def _look_back_everywhere(self) -> None:
        self._looked_back = True
        self._seek(self.chains.look_back(self._ensure_consumer().assignment() & self.chains.links.keys()))

    async def on_partitions_revoked(self, revoked: Iterable[TP]) -> None:
        """Aiokafka's hook, in this thread."""
        self.chains.clear()
        await super().on_partitions_revoked(set(revoked))
