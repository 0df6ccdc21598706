"""Keeps shards' ready marks true: sets them once everything is folded, and refreshes how fresh each shard is."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ledger.ready import Note, Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, ShardState, close_buckets, read_state
from ledger.stops import keep_stops
from metering.retention import usage_closed_before
from metering.stop import Stop
from runtime.log_ends import LogEnd
from runtime.retrying import gives_up

log = logging.getLogger(__name__)

FOLDED_LOGS = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
CAUGHT_UP_PAUSE_SECONDS = 0.5
BEHIND_PAUSE_SECONDS = 0.05
ANY_SHARD = 0  # every installation has it


class ReadyKeeper:
    """One shard's way to its ready mark: note the server, learn the logs' ends, mark. In that order.

    The ends that are aimed at stay the same until they are reached: neither a log that never stops growing nor
    transactions that follow one another keep a shard from ever being known to be caught up.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._note: Note | None = None
        self._aim: Mapping[Log, LogEnd] | None = None
        self._asked_ms = 0
        self.last_ends: Mapping[Log, LogEnd] = {}
        self.ready = False
        self.held = False
        self.unsafe = False
        self.as_of: float | None = None

    async def wants_ends(self) -> bool:
        """Takes the note if there is none; True if the logs' ends must be read now."""
        if self._note is None:
            self._note = await note_server(self._shard)
        return self._aim is None or self.held

    def learn_ends(self, ends: Mapping[Log, LogEnd], asked_ms: int) -> None:
        """Where the logs end, asked for at `asked_ms` (Unix milliseconds), after the note."""
        self.last_ends = ends
        if self._aim is None:
            self._aim, self._asked_ms = ends, asked_ms

    async def mark(self) -> Readiness:
        """Tries to set the mark; starts over with new ends where they were reached, from the note where that broke."""
        if self._note is None or self._aim is None:
            return Readiness.BEHIND
        result = await self._mark(self._note, self._aim)
        if result is Readiness.UNDECIDED:
            await self._close(self._note)
            result = await self._mark(self._note, self._aim)
        self.held, self.unsafe = result is Readiness.HELD, result is Readiness.UNSAFE
        if result is Readiness.READY:
            self.as_of = self._asked_ms / 1000
        if result is Readiness.CHANGED:
            self.ready, self._note = False, None
        if result in {Readiness.READY, Readiness.CHANGED}:
            self._aim = None
        self.ready = (self.ready and not self.unsafe) or result in {Readiness.READY, Readiness.HELD}
        return result

    async def _mark(self, note: Note, aim: Mapping[Log, LogEnd]) -> Readiness:
        return await mark_ready(
            self._shard,
            ReadyMark.USAGE,
            note,
            {log: end.high for log, end in aim.items()},
            as_of_ms=self._asked_ms,
            stable={log: end.stable for log, end in aim.items()},
        )

    async def _close(self, note: Note) -> None:
        """Decides what a cut log closes: now that all of it is folded, its first and its newest record are known."""
        state = await read_state(self._shard)
        begins = None if state.begins_ms is None else state.begins_ms // 1000
        hour = usage_closed_before(begins, state.high_ms // 1000, self._asked_ms // 1000)
        await close_buckets(self._shard, note.incarnation, Log.USAGE, hour)


class OwnedShards(Protocol):
    """The shards that this process folds, as the consumer sees them."""

    def shards(self) -> set[int]:
        """Shards whose every log is assigned, and positioned or stopped."""
        ...

    def stops(self, shard: int) -> Mapping[Log, Stop]:
        """The shard's logs that are stopped."""
        ...

    async def ends(self, shards: set[int]) -> Mapping[int, Mapping[Log, LogEnd]]:
        """The end of every log of the shards, owned or not, as of now."""
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
    logs that have none, because the shard is being cleared. `ends` are the logs' as they were last asked for. `stops`
    has the logs that can't be folded on.
    """

    ready: bool
    as_of: float | None
    fences: Mapping[Log, int]
    ends: Mapping[Log, LogEnd]
    stops: Mapping[Log, Stop] = field(default_factory=dict)

    def lags(self) -> dict[Log, int]:
        """How many offsets each log is ahead of what is folded; those that can't be read yet are among them."""
        return {log: max(0, end.high - self.fences.get(log, 0)) for log, end in self.ends.items()}

    def held(self) -> set[Log]:
        """The logs of which all is folded that can be read, while an open transaction holds more back."""
        return {log for log, end in self.ends.items() if end.held and self.fences.get(log, -1) >= end.stable}


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
        self._told: set[int] = set()  # shards that Redis was told a stop of

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
        """One look at every owned shard; True if all were ready, but for those that are stopped."""
        held = self._owned.shards()
        for watch in self._watches:
            watch.release(self._keepers.keys() - held)
        self._told &= held
        self._keepers = {number: self._keepers.get(number) or ReadyKeeper(self._shard(number)) for number in held}
        stops = {number: self._owned.stops(number) for number in held}
        asking = {number for number, keeper in self._keepers.items() if await keeper.wants_ends() or stops[number]}
        if asking or not held:  # a process without shards is well only while Kafka could give it some
            asked_ms = self._now_ms()
            ends = await self._owned.ends(asking or {ANY_SHARD})
            for number in asking:
                self._keepers[number].learn_ends(ends[number], asked_ms)
        results = [await self._look(number, keeper, stops[number]) for number, keeper in self._keepers.items()]
        return all(results)

    async def _look(self, number: int, keeper: ReadyKeeper, stops: Mapping[Log, Stop]) -> bool:
        """Marks a shard; one that is stopped stays as it was marked, and ever less fresh. True for nothing to do."""
        known, was_held, was_unsafe = self._owned.applied(number), keeper.held, keeper.unsafe
        result = None if stops else await keeper.mark()
        caught_up = result is Readiness.READY and not was_held
        fences: Mapping[Log, int] = {log: end.high for log, end in keeper.last_ends.items()}
        if not caught_up or number in self._told:
            state = await read_state(self._shard(number))
            fences = state.fences
            # Redis went back in time while a log was idle, or stopped
            behind = {} if caught_up else {log: at for log, at in known.items() if fences.get(log, -1) < at}
            for log, at in behind.items():
                self._owned.resync(number, log, f"its fence is {fences.get(log)}, {at} was folded")
            for log in known if keeper.unsafe and not was_unsafe else ():
                self._owned.resync(number, log, "Redis throws keys away")  # who opens the shard is told more
            await self._tell(number, state, {log: stop for log, stop in stops.items() if log not in behind})
        for watch in self._watches:
            watch.shard(number, ShardLook(keeper.ready, keeper.as_of, fences, keeper.last_ends, stops))
        return result in {Readiness.READY, Readiness.HELD} or bool(stops)

    async def _tell(self, number: int, state: ShardState, stops: Mapping[Log, Stop]) -> None:
        """Has the state say of stops what this process knows: again, where a flush or a failover lost it."""
        if stops or number in self._told:
            if {log: state.stops[log] for log in FOLDED_LOGS if log in state.stops} != stops:
                await keep_stops(self._shard(number), FOLDED_LOGS, stops)
            (self._told.add if stops else self._told.discard)(number)
