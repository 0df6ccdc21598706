"""A Faust transport whose consumer hands over whole partition batches, from positions that Redis decides.

Stock Faust gives one message at a time and commits what it has acknowledged, exceptions included. Here a batch is
an interval [start, end) of one partition's log (`fetch_thread`), and the fence in the shard's state says which interval
comes next.

What is overridden, and why, of faust-streaming 0.15 on aiokafka 0.14:

- `BatchConsumer._drain_messages`: one hand-over per interval, no per-message callback.
- `BatchConsumer.seek_to_committed`: called after every rebalance; seeks to the fences.
- `BatchConsumer.on_partitions_revoked`, `.wait_empty`, `.commit`: void what is queued; Kafka's committed offsets
  are written for lag tools, and to know a refold by.
- `BatchConsumer.verify_event_path`: the stock one reports slow streams that do not exist here.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Set
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from aggregator.fetch_thread import POLL_SECONDS, BatchThread, PartitionBatch, Place
from aggregator.fold import Standing
from aggregator.positions import LogBounds, check_fence, mark_to_compare
from aggregator.retrying import RETRIABLE, gives_up
from ledger.state import ShardClearingError

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0  # work in flight at a rebalance; the fence judges what is left of it
FAREWELL_SECONDS = 2.0  # the last word to a Kafka that may be away
FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 1.0
SEEK_SECONDS = 15.0  # after a rebalance; at `broker_request_timeout` Faust would leave its recovery, and rest for ever

# Opens the shard behind a partition (given what its log holds) and says where it stands.
OpenFold = Callable[[TP, LogBounds], Awaitable[Standing]]
Sink = Callable[[PartitionBatch], Awaitable[None]]


class BatchConsumer(driver.Consumer):
    """Hands intervals to the transport's sink, and seeks where the folds stand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._generation: dict[TP, int] = {}
        self.applied: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._resyncing: set[TP] = set()
        self._lost: set[TP] = set()  # those of them that nobody looks for yet
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
        """Voids what was read of a partition; if it is held, asks its shard where it stands, and goes on from there."""
        if tp in self._resyncing:
            return
        self._void(tp)
        if tp not in self.assignment():
            return
        log.info("%s-%d: finding its position again: %s", tp.topic, tp.partition, reason)
        self._resyncing.add(tp)
        if not self._lost:  # or whoever is about to look takes this one along
            self.add_future(self._find_lost())
        self._lost.add(tp)

    def _void(self, tp: TP) -> None:
        self._generation[tp] = self._generation.get(tp, 0) + 1

    async def _find_lost(self) -> None:
        """All that are lost in one go, as with a server's state: so that they are folded anew in turns, not one by one.

        Where something is in the way of one, each is looked for by itself.
        """
        await asyncio.sleep(FIRST_RETRY_SECONDS)  # others are being found to be lost
        tps: set[TP] = set()
        try:
            async with self._seeking:
                tps, self._lost = self._lost, set()
                await self._find_places(tps)
        except (ShardClearingError, *RETRIABLE):
            for tp in tps:
                self.add_future(self._find_position(tp))
            tps = set()
        except Exception as error:
            await self.app.crash(error)
        finally:
            self._resyncing -= tps

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
            return await self._find_places(tps)

    async def _find_places(self, wanted: set[TP]) -> dict[TP, int]:
        tps = wanted & set(self.assignment())
        if not tps:
            return {}
        for tp in tps:  # of an older chain, too: nothing may be folded with a memory that is just being learnt
            self._void(tp)
        chains = {tp: self._generation[tp] for tp in tps}
        bounds = await self.bounds(tps)
        standings = {tp: await self._batches.open_fold(tp, bounds[tp]) for tp in sorted(tps)}
        ends = await self.highwaters(*tps)  # after the fences: whoever else moves them on moves the ends first
        for tp, (fence, _) in standings.items():
            check_fence(tp.topic, tp.partition, fence, replace(bounds[tp], end=ends[tp]))
        places = {}
        for tp, (fence, last) in standings.items():
            if tp not in self.assignment() or self._generation[tp] != chains[tp]:
                continue  # revoked meanwhile, or lost again: what is found next counts
            self.applied[tp] = fence
            places[tp] = Place(fence, self._generation[tp], mark_to_compare(last, bounds[tp]))
        await cast("BatchThread", self._thread).begin(places)
        return {tp: place.offset for tp, place in places.items()}

    async def seek_to_committed(self) -> dict[TP, int]:
        """Faust's hook after every rebalance. What can't be found at once is looked for, shard by shard."""
        held = set(self.assignment())
        try:
            return await asyncio.wait_for(self._seek_to_fences(held), SEEK_SECONDS)
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
