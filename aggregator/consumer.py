"""A Faust transport whose consumer hands over whole partition batches, from positions that Redis decides.

Stock Faust gives one message at a time and commits what it has acknowledged, exceptions included. Here a batch is
an interval [start, end) of one partition's log, and the fence in the shard's state says which interval comes next.
Offsets may jump legally (control records, aborted transactions, compaction): an interval's end is the client's
position after the read, so the chain of intervals has no holes, and an illegal hole can't be applied at all.

What is overridden, and why, of faust-streaming 0.15 on aiokafka 0.14:

- `BatchThread._create_worker_consumer`: read committed, never reset an offset, our own assignor and fetch settings.
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
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from redis.exceptions import RedisError

from aggregator.positions import LogBounds, LogLostError, check_fence
from ledger.state import ShardClearingError
from metering.counting import Interval

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
DRAIN_SECONDS = 5.0  # work in flight at a rebalance; the fence judges what is left of it
GIVE_UP_SECONDS = 60.0  # of failing to find a shard's position; then the supervisor restarts the process
FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 1.0
RETRIABLE = (RedisError, KafkaError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """An interval of one partition, and the generation of the partition's position that it belongs to."""

    tp: TP
    interval: Interval
    generation: int


# Opens the shard behind a partition (given what its log holds) and gives the offset to read next.
OpenFold = Callable[[TP, LogBounds], Awaitable[int]]
Sink = Callable[[PartitionBatch], Awaitable[None]]


class Place(NamedTuple):
    """Where a chain of intervals goes on, and the generation that began with its last seek."""

    offset: int
    generation: int


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that owns aiokafka's client. `_chain` is touched by it alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._chain: dict[TP, Place] = {}

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
            fetch_max_wait_ms=500,
            fetch_min_bytes=1,
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
                raise LogLostError(f"a shard's position is outside its log: {error}") from error
        # No await from the read to here: the positions are those right after it.
        assignment = subscriptions.subscription and subscriptions.subscription.assignment
        if assignment is None:
            return {}
        batches: dict[TP, PartitionBatch] = {}
        for tp, (start, generation) in self._chain.items():
            if tp not in assignment.tps:
                continue
            records, end = fetched.get(tp, ()), assignment.state_value(tp)._position  # noqa: SLF001
            if end is not None and end > start:
                self._chain[tp] = Place(end, generation)
                batches[tp] = PartitionBatch(tp, Interval(start, end, records), generation)
        return batches

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
        consumer = self._ensure_consumer()
        for tp, place in places.items():
            consumer.seek(tp, place.offset)
            self._chain[tp] = place

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
                    if time.monotonic() - since > GIVE_UP_SECONDS:
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
        if not tps:
            return {}
        bounds = await self.bounds(tps)
        fences = {tp: await self._batches.open_fold(tp, bounds[tp]) for tp in sorted(tps)}
        ends = await self.highwaters(*tps)  # after the fences: whoever else moves them on moves the ends first
        for tp, fence in fences.items():
            check_fence(f"{tp.topic}-{tp.partition}", fence, replace(bounds[tp], end=ends[tp]))
        held = self.assignment()
        fences = {tp: fence for tp, fence in fences.items() if tp in held}
        for tp, fence in fences.items():
            self._void(tp)
            self.applied[tp] = fence
        places = {tp: Place(fence, self._generation[tp]) for tp, fence in fences.items()}
        await cast("BatchThread", self._thread).begin(places)
        return fences

    async def seek_to_committed(self) -> dict[TP, int]:
        """Faust's hook after every rebalance. A shard that is being cleared holds up no other."""
        held = set(self.assignment())
        try:
            return await self._seek_to_fences(held)
        except ShardClearingError as error:
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
        """Faust's hook on a rebalance and at the end: let folds in flight end, within bounds."""
        try:
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        except TimeoutError:
            log.warning("%d folds still in flight: the fence will judge them", self._in_flight)
        await self.commit()

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
    """Faust's transport with our consumer; `sink`, `open_fold` and `client_options` are set when it is wired."""

    Consumer = BatchConsumer
    sink: Sink
    open_fold: OpenFold
    client_options: dict[str, Any]
