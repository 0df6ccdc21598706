"""Brings each batch to its fold: in order within a partition, a few partitions at a time."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from aiokafka import TopicPartition

from aggregator.folds.fold import Fold, FoldStanding
from aggregator.log_check import LogBounds
from aggregator.partition_batch import PartitionBatch
from metering.quarantine import PASSABLE
from metering.stop import ShardStoppedError
from runtime.retrying import RETRIABLE, gives_up
from runtime.settings import GIVE_UP_SECONDS

CONCURRENT_FOLDS = 4  # one is decided while another is in Redis, and two wait their turn: neither side is idle


class BatchFates(Protocol):
    """What the dispatcher tells `Positions`."""

    def is_current(self, batch: PartitionBatch) -> bool: ...  # noqa: D102
    def begin(self) -> None: ...  # noqa: D102
    def finish(self, batch: PartitionBatch, *, applied: bool) -> None: ...  # noqa: D102
    def resync(self, tp: TopicPartition, reason: str) -> None: ...  # noqa: D102
    def stop_log(self, tp: TopicPartition, error: ShardStoppedError) -> None: ...  # noqa: D102


class Dispatcher:
    """Owns the folds of the partitions that this process has. A batch has one of four fates.

    It is folded; or its position is found again (the fence disagreed, a server did not answer, or a person has let the
    shard pass something by: the work is not lost, it is read again); or its log is stopped, and no other, until it can
    be folded on; or the process stops, by an error that does not pass by itself, or one that goes on for
    `give_up_seconds` without a batch of the partition being folded.
    """

    def __init__(
        self,
        make_fold: Callable[[TopicPartition], Fold],
        positions: Callable[[], BatchFates],
        stop: Callable[[BaseException], None],
        monotonic: Callable[[], float] = time.monotonic,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        """`stop` is told of the error that nobody can go on after."""
        self._make_fold = make_fold
        self._positions = positions
        self._stop = stop
        self._monotonic = monotonic
        self._give_up_seconds = give_up_seconds
        self._failing_since: dict[TopicPartition, float] = {}
        self._folds: dict[TopicPartition, Fold] = {}
        self._turns: defaultdict[TopicPartition, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._slots = asyncio.Semaphore(CONCURRENT_FOLDS)
        self._running: set[asyncio.Task[None]] = set()

    async def open(self, tp: TopicPartition, bounds: LogBounds) -> FoldStanding:
        """A fresh fold for a partition; says where its shard stands."""
        fold = self._make_fold(tp)
        standing = await fold.open(bounds.earliest, bounds.committed)
        self._folds[tp] = fold
        return standing

    async def take(self, batch: PartitionBatch) -> None:
        """Starts folding a batch; waits only while enough others are being folded."""
        await self._slots.acquire()
        task = asyncio.create_task(self._take_turn(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _take_turn(self, batch: PartitionBatch) -> None:
        try:
            async with self._turns[batch.tp]:
                await self._fold(batch)
        except Exception as error:
            self._stop(error)
        finally:
            self._slots.release()

    async def _fold(self, batch: PartitionBatch) -> None:
        positions = self._positions()
        if not positions.is_current(batch):
            return
        positions.begin()
        applied, reason, stop, since = False, "", None, self._monotonic()
        try:
            # STALE with a fence at our own end is no success either: an earlier call took effect without telling
            # this fold, which must learn again what it remembers of the shard.
            answer = await self._folds[batch.tp].apply(batch.interval)
            applied = answer.applied
            reason = "" if applied else f"the shard says {answer.verdict} (it stands at {answer.fence})"
            if applied and batch.fault is not None:
                reason = await self._pass_unread(batch, batch.fault)
        except ShardStoppedError as error:
            stop = error
        except RETRIABLE as error:
            self._give_up_in_time(batch.tp, error, since)
            reason = f"{type(error).__name__}: {error}"
        finally:
            positions.finish(batch, applied=applied)
        if not reason:
            self._failing_since.pop(batch.tp, None)
        if stop is not None and positions.is_current(batch):
            positions.stop_log(batch.tp, stop)
        elif reason and positions.is_current(batch):
            positions.resync(batch.tp, reason)

    async def _pass_unread(self, batch: PartitionBatch, fault: ShardStoppedError) -> str:
        """Passes by what the log can't be read on for, as ordered; says so. The shard stands at the batch's end.

        Raises:
            ShardStoppedError: nobody has ordered that.
        """
        at, answer = batch.interval.end, None
        if fault.reason in PASSABLE:
            answer = await self._folds[batch.tp].pass_unread(at, fault.end)
        if answer is None:
            raise ShardStoppedError(fault.reason, at, str(fault), end=fault.end)
        return (
            f"passing by what lies at {at}, as ordered: the shard says {answer.verdict} (it stands at {answer.fence})"
        )

    def _give_up_in_time(self, tp: TopicPartition, error: Exception, since: float) -> None:
        failing_seconds = self._monotonic() - self._failing_since.setdefault(tp, since)
        if gives_up(error, failing_seconds, self._give_up_seconds):
            raise error
