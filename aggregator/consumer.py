"""A Faust transport whose consumer hands over whole partition batches, from positions that Redis decides.

Stock Faust gives one message at a time and commits what it has acknowledged, exceptions included. Here a batch is
an interval [start, end) of one partition's log, and the fence in the shard's state says which interval comes next.
Offsets may jump legally (control records, aborted transactions, compaction): an interval's end is the client's
position after the read, so the chain of intervals has no holes, and an illegal hole can't be applied at all.

A chain begins one record before its fence, where the log may still have it: at the last record that was folded, which
must be the very same (see `positions.check_mark`). It looks back in the same way when the client has renewed what it
knows of the cluster, which it does after every error, and when the process was frozen or held up: a topic may have
been deleted and made again in between.

What is overridden, and why, of faust-streaming 0.15 on aiokafka 0.14:

- `BatchThread._create_worker_consumer`: read committed, never reset an offset, our own assignor and fetch settings.
- `BatchThread.on_start`: looks back whenever the cluster's metadata is renewed.
- `BatchThread._fetch_records`: gives batches, control-only ones included.
- `BatchThread.on_partitions_revoked`: ends the chains, in the thread that owns the client.
- `BatchConsumer._drain_messages`: one hand-over per interval, no per-message callback.
- `BatchConsumer.seek_to_committed`: called after every rebalance; seeks to the fences.
- `BatchConsumer.on_partitions_revoked`, `.wait_empty`, `.commit`: void what is queued; Kafka's committed offsets
  are written for lag tools, and to know a refold by.
- `BatchConsumer.verify_event_path`: the stock one reports slow streams that do not exist here.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from aggregator.fold import Standing
from aggregator.positions import LogBounds, check_fence, check_mark, mark_to_compare
from aggregator.retrying import RETRIABLE, gives_up
from ledger.state import ShardClearingError
from metering.counting import Interval, LogRecord, Mark, mark_of

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
AWAY_SECONDS = POLL_SECONDS + 0.3  # reads follow one another sooner, unless the process was frozen or held up
# The broker holds an answer until it has so much, or for so long: at medium rates a batch is dozens of events, not
# three, which halves the work; what is counted is fresh within a tenth of a second all the same.
COALESCE_BYTES = 1 << 16
COALESCE_MS = 40
DRAIN_SECONDS = 5.0  # work in flight at a rebalance; the fence judges what is left of it
FAREWELL_SECONDS = 2.0  # the last word to a Kafka that may be away
FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """An interval of one partition, and the generation of the partition's position that it belongs to."""

    tp: TP
    interval: Interval
    generation: int


# Opens the shard behind a partition (given what its log holds) and says where it stands.
OpenFold = Callable[[TP, LogBounds], Awaitable[Standing]]
Sink = Callable[[PartitionBatch], Awaitable[None]]


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
        client = self._ensure_consumer()._client  # noqa: SLF001 - aiokafka tells nobody else of new metadata
        client.cluster.add_listener(lambda _: self._look_back_everywhere())

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
            **cast("BatchTransport", transport).client_options,
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
        compacted = tp.topic in cast("BatchTransport", self.transport).compacted
        check_mark(tp.topic, tp.partition, last, records[0] if records else None, compacted=compacted)
        return [record for record in records if record.offset >= place.offset]

    def _report_outside(self, positions: Mapping[TP, int]) -> None:
        for tp, offset in positions.items():
            self.parent_loop.call_soon_threadsafe(self._batches.resync, tp, f"{offset} is outside of the log")

    @property
    def _batches(self) -> "BatchConsumer":
        return cast("BatchConsumer", self.consumer)

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
        for tp, place in places.items():
            self._chain[tp] = place
            self._look_back(tp)

    def _look_back(self, tp: TP) -> None:
        offset, _, last = self._chain[tp]
        self._ensure_consumer().seek(tp, offset if last is None else last.offset)
        (self._unsure.discard if last is None else self._unsure.add)(tp)

    def _look_back_everywhere(self) -> None:
        for tp in self._ensure_consumer().assignment() & self._chain.keys():
            self._look_back(tp)

    async def on_partitions_revoked(self, revoked: Iterable[TP]) -> None:
        """Aiokafka's hook, in this thread."""
        self._chain.clear()
        await super().on_partitions_revoked(set(revoked))


class BatchConsumer(driver.Consumer):
    """Hands intervals to the transport's sink, and seeks where the folds stand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._generation: dict[TP, int] = {}
        self.applied: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._resyncing: set[TP] = set()
        self._seeking = asyncio.Lock()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                batches, _ = await self._wait_next_records(timeout=POLL_SECONDS)
                for batch in cast("dict[TP, PartitionBatch]", batches or {}).values():
                    await self._hand_over(batch)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    @property
    def _batches(self) -> "BatchTransport":
        return cast("BatchTransport", self.transport)

    async def _hand_over(self, batch: PartitionBatch) -> None:
        if not self.is_current(batch):
            return
        try:
            await self._batches.sink(batch)
        except asyncio.CancelledError:
            # Every rebalance clears the flow-controlled queue, which cancels whoever waits to put into it. A batch
            # that is lost here or on its way is a gap in the chain: the fence refuses what follows.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise

    # What the folds say back.

    def is_current(self, batch: PartitionBatch) -> bool:
        """False for a batch that a seek or a rebalance has made void."""
        return self._generation.get(batch.tp) == batch.generation

    def begin(self) -> None:
        """A batch is being folded."""
        self._in_flight += 1
        self._idle.clear()

    def finish(self, batch: PartitionBatch, *, applied: bool) -> None:
        """A batch's fold has ended, one way or the other."""
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()
        if applied and self.is_current(batch):
            self.applied[batch.tp] = batch.interval.end

    def resync(self, tp: TP, reason: str) -> None:
        """Voids what was read of a partition, asks its shard where it stands, and goes on from there."""
        if tp in self._resyncing or tp not in self.assignment():
            return
        log.info("%s-%d: finding its position again: %s", tp.topic, tp.partition, reason)
        self._resyncing.add(tp)
        self._void(tp)
        self.add_future(self._find_position(tp))

    def _void(self, tp: TP) -> None:
        self._generation[tp] = self._generation.get(tp, 0) + 1

    async def _find_position(self, tp: TP) -> None:
        delay, since = FIRST_RETRY_SECONDS, time.monotonic()
        try:
            while tp in self.assignment() and not self.should_stop:
                try:
                    await self._seek_to_fences({tp})
                except ShardClearingError:
                    since = time.monotonic()
                    await asyncio.sleep(LAST_RETRY_SECONDS)
                except RETRIABLE as error:
                    if gives_up(error, time.monotonic() - since, self._batches.give_up_seconds):
                        await self.app.crash(error)
                        return
                    await asyncio.sleep(delay)
                    delay = min(2 * delay, LAST_RETRY_SECONDS)
                else:
                    return
        except Exception as error:
            await self.app.crash(error)
        finally:
            self._resyncing.discard(tp)

    # Positions.

    async def bounds(self, tps: set[TP]) -> dict[TP, LogBounds]:
        """What the logs hold now: earliest and last stable offsets, and what was committed."""
        earliest = await self.earliest_offsets(*tps)
        ends = await self.highwaters(*tps)
        committed = await cast("BatchThread", self._thread).committed(tps)
        return {tp: LogBounds(earliest[tp], ends[tp], committed[tp]) for tp in tps}

    async def _seek_to_fences(self, tps: set[TP]) -> dict[TP, int]:
        async with self._seeking:  # a fold and its chain are found together, or a batch meets another state's memory
            held = tps & set(self.assignment())
            for tp in held:  # of an older chain, too: nothing may be folded with a memory that is just being learnt
                self._void(tp)
            return await self._find_places(held)

    async def _find_places(self, tps: set[TP]) -> dict[TP, int]:
        if not tps:
            return {}
        bounds = await self.bounds(tps)
        standings = {tp: await self._batches.open_fold(tp, bounds[tp]) for tp in sorted(tps)}
        ends = await self.highwaters(*tps)  # after the fences: whoever else moves them on moves the ends first
        for tp, (fence, _) in standings.items():
            check_fence(tp.topic, tp.partition, fence, replace(bounds[tp], end=ends[tp]))
        places = {}
        held = self.assignment()
        for tp, (fence, last) in standings.items():
            if tp not in held:
                continue
            self.applied[tp] = fence
            places[tp] = Place(fence, self._generation[tp], mark_to_compare(last, bounds[tp]))
        await cast("BatchThread", self._thread).begin(places)
        return {tp: place.offset for tp, place in places.items()}

    async def seek_to_committed(self) -> dict[TP, int]:
        """Faust's hook after every rebalance. What can't be found at once is looked for, shard by shard."""
        held = set(self.assignment())
        try:
            return await self._seek_to_fences(held)
        except (ShardClearingError, *RETRIABLE) as error:
            for tp in held:
                self.resync(tp, str(error))
            return {}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Faust's hook before every rebalance: the eager protocol revokes everything."""
        for tp in revoked:
            self._void(tp)
        self.applied.clear()
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Faust's hook on a rebalance and at the end: let folds in flight end and commit, both within bounds."""
        try:
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        except TimeoutError:
            log.warning("%d folds still in flight: the fence will judge them", self._in_flight)
        with suppress(TimeoutError):  # no position is read from what is committed
            await asyncio.wait_for(self.commit(), FAREWELL_SECONDS)

    async def commit(self, topics: object = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002, ARG002
        """Tells Kafka how far the folds are: for lag tools, and to know a refold. No position is read from it."""
        held = self.assignment()
        ahead = {tp: at for tp, at in self.applied.items() if tp in held and self._committed.get(tp) != at}
        if not ahead or not await self._thread.commit(ahead):
            return False
        self._committed.update(ahead)
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watchdog for streams, which are not used here."""


class BatchTransport(driver.Transport):
    """Faust's transport with our consumer; what it has no value for is set when it is wired."""

    Consumer = BatchConsumer
    sink: Sink
    open_fold: OpenFold
    compacted: Set[str]
    give_up_seconds: float
    client_options: dict[str, Any]
