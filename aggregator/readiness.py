"""Keeps shards' ready marks true: sets them once everything is folded, and refreshes how fresh each shard is."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aggregator.retrying import gives_up
from ledger.ready import Note, Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, read_state

log = logging.getLogger(__name__)

FOLDED_LOGS = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
CAUGHT_UP_PAUSE_SECONDS = 0.5
BEHIND_PAUSE_SECONDS = 0.05
ANY_SHARD = 0  # every installation has it


class ReadyKeeper:
    """One shard's way to its ready mark: note the server, learn the logs' ends, mark. In that order."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._note: Note | None = None
        self._ends: Mapping[Log, int] | None = None
        self._asked_ms = 0
        self.last_ends: Mapping[Log, int] = {}
        self.ready = False
        self.as_of: float | None = None

    async def wants_ends(self) -> bool:
        """Takes the note if there is none; True if the logs' ends must be read now."""
        if self._note is None:
            self._note = await note_server(self._shard)
        return self._ends is None

    def learn_ends(self, ends: Mapping[Log, int], asked_ms: int) -> None:
        """The logs' last stable offsets, asked for at `asked_ms` (Unix milliseconds), after the note."""
        self._ends = self.last_ends = ends
        self._asked_ms = asked_ms

    async def mark(self) -> Readiness:
        """Tries to set the mark; starts over with new ends where it is set, from the note where that broke."""
        if self._note is None or self._ends is None:
            return Readiness.BEHIND
        result = await mark_ready(self._shard, ReadyMark.USAGE, self._note, self._ends, as_of_ms=self._asked_ms)
        if result is not Readiness.BEHIND:
            self._ends = None
        if result is Readiness.READY:
            self.ready, self.as_of = True, self._asked_ms / 1000
        if result is Readiness.CHANGED:
            self.ready, self._note = False, None
        return result


class OwnedShards(Protocol):
    """The shards that this process folds, as the consumer sees them."""

    def shards(self) -> set[int]:
        """Shards whose usage partition is assigned and positioned."""
        ...

    async def ends(self, shards: set[int]) -> Mapping[int, Mapping[Log, int]]:
        """The last stable offsets of every log of the shards, owned or not, as of now."""
        ...

    def applied(self, shard: int) -> Mapping[Log, int]:
        """How far this process knows the shard's logs to be folded."""
        ...

    def resync(self, shard: int, log: Log, reason: str) -> None:
        """Finds a log's position again."""
        ...


@dataclass(frozen=True, slots=True)
class ShardLook:
    """How a shard stood when it was looked at.

    `as_of` in Unix seconds: when it was last known to be caught up, None for never by this process. `fences` lack the
    logs that have none, because the shard is being cleared. `ends` are the logs' as they were last asked for.
    """

    ready: bool
    as_of: float | None
    fences: Mapping[Log, int]
    ends: Mapping[Log, int]

    def lags(self) -> dict[Log, int]:
        """How many offsets each log is ahead of what is folded."""
        return {log: max(0, end - self.fences.get(log, 0)) for log, end in self.ends.items()}


class ShardWatch(Protocol):
    """Is shown how shards stand."""

    def shard(self, number: int, look: ShardLook) -> None:
        """A look at one."""
        ...

    def release(self, numbers: set[int]) -> None:
        """These shards are another process's now."""
        ...


class ReadinessLoop:
    """Takes all owned shards through their marks, for ever."""

    def __init__(
        self,
        owned: OwnedShards,
        shard: Callable[[int], Shard],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        beat: Callable[[], None] = lambda: None,
        watches: Sequence[ShardWatch] = (),
    ) -> None:
        """`beat` is called after every turn that went well; `watches` are shown how each shard stands."""
        self._owned = owned
        self._shard = shard
        self._pause = pause
        self._now_ms = now_ms
        self._beat = beat
        self._watches = watches
        self._keepers: dict[int, ReadyKeeper] = {}

    async def run(self, retriable: tuple[type[Exception], ...], give_up_seconds: float) -> None:
        """Runs until an error that is not retriable, or one that has lasted for `give_up_seconds`."""
        failing_since: float | None = None
        while True:
            started = time.monotonic()
            try:
                caught_up = await self.turn()
                failing_since = None
                self._beat()
            except retriable as error:
                failing_since = started if failing_since is None else failing_since
                if gives_up(error, time.monotonic() - failing_since, give_up_seconds):
                    raise
                log.warning("readiness: %s: %s", type(error).__name__, error)
                caught_up = True
            await self._pause(CAUGHT_UP_PAUSE_SECONDS if caught_up else BEHIND_PAUSE_SECONDS)

    async def turn(self) -> bool:
        """One look at every owned shard; True if all were ready."""
        held = self._owned.shards()
        for watch in self._watches:
            watch.release(self._keepers.keys() - held)
        self._keepers = {number: self._keepers.get(number) or ReadyKeeper(self._shard(number)) for number in held}
        asking = {number for number, keeper in self._keepers.items() if await keeper.wants_ends()}
        if asking or not held:  # a process without shards is well only while Kafka could give it some
            asked_ms = self._now_ms()
            ends = await self._owned.ends(asking or {ANY_SHARD})
            for number in asking:
                self._keepers[number].learn_ends(ends[number], asked_ms)
        results = [await self._mark(number, keeper) for number, keeper in self._keepers.items()]
        return all(result is Readiness.READY for result in results)

    async def _mark(self, number: int, keeper: ReadyKeeper) -> Readiness:
        known = self._owned.applied(number)
        result = await keeper.mark()
        caught_up = result is Readiness.READY
        fences = keeper.last_ends if caught_up else (await read_state(self._shard(number))).fences
        for watch in self._watches:
            watch.shard(number, ShardLook(keeper.ready, keeper.as_of, fences, keeper.last_ends))
        if caught_up:
            return result
        for folded, at in known.items():
            if fences.get(folded, -1) < at:  # Redis went back in time while this log was idle
                self._owned.resync(number, folded, f"its fence is {fences.get(folded)}, {at} was folded")
        return result
