"""The thread that owns aiokafka's client: it reads on from each position, as intervals without holes.

Offsets may jump legally (control records, aborted transactions, compaction): an interval's end is the client's
position after the read, so the chain of intervals has no holes, and an illegal hole can't be applied at all.

A chain begins one record before its fence, where the log may still have it: at the last record that was folded, which
must be the very same (see `positions.check_mark`). It looks back in the same way when the client has renewed what it
knows of the cluster, which it does after every error, and when the process was frozen or held up: a topic may have
been deleted and made again in between.

What is overridden, and why, of faust-streaming 0.15 on aiokafka 0.14:

- `BatchThread._create_worker_consumer`: read committed, never reset an offset, our own assignor and fetch settings.
- `BatchThread.on_start`: looks back whenever the cluster's metadata is renewed; and records stay as they were parsed.
- `BatchThread._fetch_records`: gives batches, control-only ones included.
- `BatchThread.on_partitions_revoked`: ends the chains, in the thread that owns the client.
"""

import gc
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from aggregator.positions import check_mark
from metering.counting import Interval, LogRecord, Mark, mark_of

POLL_SECONDS = 0.2
AWAY_SECONDS = POLL_SECONDS + 0.3  # reads follow one another sooner, unless the process was frozen or held up
# The broker holds an answer until it has so much, or for so long: a batch is dozens or hundreds of events, not three,
# which halves the work; what is counted is fresh within a tenth of a second all the same.
COALESCE_BYTES = 1 << 20
COALESCE_MS = 40


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """An interval of one partition, and the generation of the partition's position that it belongs to."""

    tp: TP
    interval: Interval
    generation: int


class Chains(Protocol):
    """What the thread tells the consumer."""

    def resync(self, tp: TP, reason: str) -> None: ...  # noqa: D102


class FetchSettings(Protocol):
    """What the thread takes from its transport: topics that are compacted, and the client's own options."""

    compacted: Set[str]
    client_options: dict[str, Any]


class Place(NamedTuple):
    """Where a chain of intervals goes on, the generation that began with its last seek, and the last record before."""

    offset: int
    generation: int
    last: Mark | None = None


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that owns aiokafka's client. `_chain` and `_unsure` are touched by it alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._chain: dict[TP, Place] = {}
        self._unsure: set[TP] = set()  # their next read begins with the last record before their place
        self._last_read = time.monotonic()

    async def on_start(self) -> None:
        """Connects."""
        await super().on_start()
        consumer = self._ensure_consumer()
        client = consumer._client  # noqa: SLF001 - aiokafka tells nobody else of new metadata
        client.cluster.add_listener(lambda _: self._look_back_everywhere())
        _keep_as_parsed(consumer._fetcher)  # noqa: SLF001

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = RangePartitionAssignor
        return AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            # Range gives partition N of every topic to the same member: a shard's three folds live together.
            partition_assignment_strategy=[RangePartitionAssignor],
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
        consumer: AIOKafkaConsumer,
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
        if self._was_away():
            self._look_back_everywhere()
            return {}
        # No await from the read to here: the positions are those right after it.
        assignment = subscriptions.subscription and subscriptions.subscription.assignment
        if assignment is None:
            return {}
        batches: dict[TP, PartitionBatch] = {}
        for tp, place in self._chain.items():
            if tp not in assignment.tps:
                continue
            records, end = fetched.get(tp, ()), assignment.state_value(tp)._position  # noqa: SLF001
            records = self._compared(tp, place, records, end)
            if end is not None and end > place.offset:
                last = mark_of(records[-1]) if records else place.last
                self._chain[tp] = Place(end, place.generation, last)
                batches[tp] = PartitionBatch(tp, Interval(place.offset, end, records), place.generation)
        return batches

    def _was_away(self) -> bool:
        """Whether the last read was so long ago that a topic may have been deleted and made again since."""
        before, self._last_read = self._last_read, time.monotonic()
        return self._last_read - before > AWAY_SECONDS

    def _compared(self, tp: TP, place: Place, records: Sequence[LogRecord], end: int | None) -> Sequence[LogRecord]:
        """The records from the place on; those before are compared with the mark and left out."""
        last = place.last
        if last is None or tp not in self._unsure or end is None or end <= last.offset:
            return records
        self._unsure.discard(tp)
        compacted = tp.topic in cast("FetchSettings", self.transport).compacted
        check_mark(tp.topic, tp.partition, last, records[0] if records else None, compacted=compacted)
        return [record for record in records if record.offset >= place.offset]

    def _report_outside(self, positions: Mapping[TP, int]) -> None:
        for tp, offset in positions.items():
            resync = cast("Chains", self.consumer).resync
            self.parent_loop.call_soon_threadsafe(resync, tp, f"{offset} is outside of the log")

    async def committed(self, tps: set[TP]) -> dict[TP, int]:
        """How far Kafka was told that each partition is folded; 0 for never."""
        return cast("dict[TP, int]", await self.call_thread(self._committed, tps))

    async def _committed(self, tps: set[TP]) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        return {tp: await consumer.committed(tp) or 0 for tp in tps}

    async def begin(self, places: Mapping[TP, Place]) -> None:
        """Seeks, and begins new chains there."""
        await self.call_thread(self._begin, places)

    async def _begin(self, places: Mapping[TP, Place]) -> None:
        self._chain.update(places)
        self._look_back(places)

    def _look_back(self, tps: Iterable[TP]) -> None:
        consumer = self._ensure_consumer()
        for tp in tps:
            offset, _, last = self._chain[tp]
            consumer.seek(tp, offset if last is None else last.offset)
            (self._unsure.discard if last is None else self._unsure.add)(tp)
        # A seek throws away what was fetched ahead: megabytes a partition, in a cycle, and those are collected seldom.
        gc.collect()

    def _look_back_everywhere(self) -> None:
        self._look_back(self._ensure_consumer().assignment() & self._chain.keys())

    async def on_partitions_revoked(self, revoked: Iterable[TP]) -> None:
        """Aiokafka's hook, in this thread."""
        self._chain.clear()
        await super().on_partitions_revoked(set(revoked))


def _keep_as_parsed(fetcher: Fetcher) -> None:
    """Spares a copy of every record: what aiokafka parses in C is a `LogRecord`; it makes another one in Python."""
    receive = fetcher._proc_fetch_request  # noqa: SLF001

    async def receive_only(*args: Any) -> bool:
        received = await receive(*args)
        for fetched in fetcher._records.values():  # noqa: SLF001
            if isinstance(fetched, FetchResult) and fetched.has_more():
                fetched._partition_records._consumer_record = _as_parsed  # noqa: SLF001
        return cast("bool", received)

    fetcher._proc_fetch_request = receive_only  # noqa: SLF001


def _as_parsed(_tp: TP, record: LogRecord) -> LogRecord:
    return record
