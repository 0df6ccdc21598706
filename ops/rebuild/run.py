"""Clears one shard and waits until the aggregator and the Stripe worker have folded it again."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from ledger.clearing import ClearingLostError, clear_shard
from ledger.shard import Shard
from ledger.state import Log
from ledger.status import ShardStatus, read_status
from metering.stop import Stop
from ops.console.errors import OpsError
from ops.logs.append_time import append_ms_at
from ops.logs.reader import Bounds, LogReader
from ops.rebuild.account_sums import Sums, shrunk, sum_units
from ops.verify.against_log import Progress
from ops.verify.differences import first_comparable_hour
from runtime.topics import TopicNames

LOOK_SECONDS = 0.2  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result for one shard: `keys` removed, `seconds` taken, records `read`.

    `less` holds the totals that became smaller: (before, after) by account and meter. `compared` is False if the totals
    before are not known, because an earlier rebuild died while it cleared the shard.
    """

    shard: int
    keys: int
    seconds: float
    read: int
    compared: bool
    less: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


class Rebuild:
    """Rebuilds shards, one after another."""

    def __init__(self, reader: LogReader, topics: TopicNames, *, patience: float, progress: Progress) -> None:
        """`patience`: seconds without progress after which the rebuild gives up: no process folds the shard."""
        self._reader = reader
        self._topics = {
            Log.USAGE: topics.usage,
            Log.ACCOUNTS: topics.accounts,
            Log.API_KEYS: topics.api_keys,
            Log.PUSHES: topics.pushes,
        }
        self._patience = patience
        self._progress = progress

    async def run(self, shard: Shard) -> Rebuilt:
        """Clears a shard, and returns once it is ready again.

        Raises:
            OpsError: no process folds the shard, its fold is stopped, or another rebuild is clearing it.
        """
        began = time.monotonic()
        status = await read_status(shard)
        from_hour = self._first_comparable_hour(shard.number, status)
        resumed = status.clearing_ms is not None
        before = None if resumed else await self._sums(shard, from_hour, "before")
        removed = await self._clear(shard)
        # If no Stripe worker ever folded the push log, there may be none: don't wait for one.
        pushes = resumed or status.push_as_of_ms is not None
        await self._wait(shard, self._ends(shard.number), pushes=pushes)
        after = await self._sums(shard, from_hour, "after") if before is not None else None
        less = {} if before is None or after is None else shrunk(before, after)
        read = (await read_status(shard)).state.conservation.read
        return Rebuilt(shard.number, removed, time.monotonic() - began, read, not resumed, less)

    def _first_comparable_hour(self, number: int, status: ShardStatus) -> int:
        topic = self._topics[Log.USAGE]
        bounds = self._reader.bounds(topic)[number]
        first_ms = append_ms_at(self._reader, topic, number, bounds) if bounds.earliest else None
        return first_comparable_hour(bounds.earliest, first_ms, status.state.high_ms)

    async def _sums(self, shard: Shard, from_hour: int, when: str) -> Sums:
        self._progress(f"shard {shard.number}: summing what its accounts have {when}")
        return await sum_units(shard, from_hour)

    async def _clear(self, shard: Shard) -> int:
        removed = 0
        try:
            async for removed in clear_shard(shard, nonce=uuid4().hex, now_ms=time.time_ns() // 1_000_000):
                self._progress(f"shard {shard.number}: clearing, {removed:,} keys so far")
        except ClearingLostError as error:
            raise OpsError(f"shard {shard.number}: another rebuild is clearing it: leave it to that one") from error
        return removed

    def _ends(self, number: int) -> Mapping[Log, Bounds]:
        """Returns the bounds of the shard's logs. A partition added later exists only in the usage log."""
        bounds = {log: self._reader.bounds(topic) for log, topic in self._topics.items()}
        return {log: held[number] for log, held in bounds.items() if number in held}

    async def _wait(self, shard: Shard, ends: Mapping[Log, Bounds], *, pushes: bool) -> None:
        """Returns once the shard is ready; with `pushes`, once its push log is folded too."""
        reached: Mapping[Log, int] = {}
        deadline = time.monotonic() + self._patience
        while True:
            status = await read_status(shard)
            if status.ready and (status.push_ready or not pushes):
                return
            if status.clearing_ms is not None:
                raise OpsError(f"shard {shard.number}: another rebuild is clearing it: leave it to that one")
            if status.state.stops.keys() & status.state.fences.keys():
                raise _stopped(shard.number, status.state.stops)
            if status.state.fences != reached:
                reached, deadline = status.state.fences, time.monotonic() + self._patience
            if time.monotonic() > deadline:
                raise self._abandoned(shard.number, status)
            self._progress(f"shard {shard.number}: folding, {_percentages(reached, ends)}")
            await asyncio.sleep(LOOK_SECONDS)

    def _abandoned(self, number: int, status: ShardStatus) -> OpsError:
        worker = "Stripe worker" if status.ready else "aggregator"
        return OpsError(
            f"shard {number} is cleared, but no {worker} has got on with folding it for {self._patience:g} s: is one "
            "running? Its accounts read 503 until an aggregator has; nothing is lost, and there is nothing to repeat "
            "for this shard. The shards after it were not touched"
        )


def _stopped(number: int, stops: Mapping[Log, Stop]) -> OpsError:
    (stop, *_) = stops.values()
    return OpsError(
        f"shard {number} is cleared, but its fold is stopped again, and its accounts read 503 until it goes on: "
        f"{stop.message}. There is nothing to repeat for this shard. The shards after it were not touched"
    )


def _percentages(reached: Mapping[Log, int], ends: Mapping[Log, Bounds]) -> str:
    parts = []
    for log, (earliest, end) in ends.items():
        done = max(0, min(end, reached.get(log, earliest)) - earliest)
        parts.append(f"{log} {100 * done // max(1, end - earliest) if end > earliest else 100} %")
    return ", ".join(parts)
