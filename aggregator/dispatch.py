"""Brings each batch to its fold: in order within a partition, a few partitions at a time."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from faust.types import TP

from aggregator.consumer import RETRIABLE, PartitionBatch
from aggregator.fold import Fold
from aggregator.positions import LogBounds

CONCURRENT_FOLDS = 2  # one is decided while the other is in Redis


class Positions(Protocol):
    """What the dispatcher tells the consumer."""

    def is_current(self, batch: PartitionBatch) -> bool: ...  # noqa: D102
    def begin(self) -> None: ...  # noqa: D102
    def finish(self, batch: PartitionBatch, *, applied: bool) -> None: ...  # noqa: D102
    def resync(self, tp: TP, reason: str) -> None: ...  # noqa: D102


class Dispatcher:
    """Owns the folds of the partitions that this process has. A batch has one of three fates.

    It is folded; or its position is found again (the fence disagreed, or a server did not answer: the work is not
    lost, it is read again); or the process stops, by an error that nobody here expects.
    """

    def __init__(
        self,
        make_fold: Callable[[TP], Fold],
        positions: Callable[[], Positions],
        stop: Callable[[BaseException], None],
    ) -> None:
        self._make_fold = make_fold
        self._positions = positions
        self._stop = stop
        self._folds: dict[TP, Fold] = {}
        self._turns: defaultdict[TP, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._slots = asyncio.Semaphore(CONCURRENT_FOLDS)
        self._running: set[asyncio.Task[None]] = set()

    async def open(self, tp: TP, bounds: LogBounds) -> int:
        """A fresh fold for a partition; gives the offset to read next."""
        fold = self._make_fold(tp)
        fence = await fold.open(bounds.earliest)
        self._folds[tp] = fold
        return fence

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
        applied, reason = False, ""
        try:
            answer = await self._folds[batch.tp].apply(batch.interval)
            # A fence at our own end: an earlier call of ours took effect and its reply was lost.
            applied = answer.applied or answer.fence == batch.interval.end
            reason = f"the shard says {answer.verdict} (it stands at {answer.fence})"
        except RETRIABLE as error:
            reason = f"{type(error).__name__}: {error}"
        finally:
            positions.finish(batch, applied=applied)
        if not applied and positions.is_current(batch):
            positions.resync(batch.tp, reason)
