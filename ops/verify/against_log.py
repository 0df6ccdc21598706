"""Compares a shard with the usage log: exactly, and beside live traffic.

Every read of Redis returns the fence at which it was made. The recount then goes on to that same fence before the two
are compared, so that no traffic has to stop.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ledger.counters import Counters, in_calls, read_counters
from ledger.scan import scan_keys
from ledger.shard import Shard
from ledger.state import Conservation, Log, ShardState, read_state
from metering.counting import LogRecord
from metering.quarantine import QuarantineOrder, stretches
from ops.console.errors import OpsError
from ops.logs.reader import Bounds, LogReader
from ops.verify.differences import CountDifference, VerifyScope, first_comparable_hour
from ops.verify.recount import Conflict, Recount

Progress = Callable[[str], None]


class CannotTellError(OpsError):
    """The shard can't be compared: it has no state, its log does not match, or it was cleared meanwhile."""


@dataclass(slots=True)
class LogVerdict:
    """The result of comparing one shard. `fence`: the shard's fence at the start; `from_hour`: the oldest bucket.

    `conservation`: the sums of the log and of the shard; None if retention has cut the log's head.
    """

    shard: int
    fence: int
    from_hour: int = 0
    counters: int = 0
    conservation: tuple[Conservation, Conservation] | None = None
    differences: list[CountDifference] = field(default_factory=list)
    conflicts: int = 0
    examples: list[Conflict] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Returns whether nothing differs."""
        return not self.differences and (self.conservation is None or self.conservation[0] == self.conservation[1])


class ShardVerification:
    """Compares one shard, once."""

    def __init__(
        self, shard: Shard, reader: LogReader, topic: str, partitions: int, orders: Sequence[QuarantineOrder]
    ) -> None:
        """`orders`: the orders to pass offsets of the shard's log by."""
        self._shard = shard
        self._reader = reader
        self._topic = topic
        self._orders = orders
        self._recount = Recount(shard.number, partitions)
        self._position = 0

    async def run(self, account: str | None, progress: Progress) -> LogVerdict:
        """Returns the verdict on all accounts of the shard, or on one.

        Raises:
            CannotTellError: the shard has no state, its state is not from this log, or it was cleared meanwhile.
        """
        state = await read_state(self._shard)
        fence = usage_fence(self._shard.number, state)
        bounds = self._reader.bounds(self._topic)[self._shard.number]
        check_bounds(self._shard.number, fence, bounds)
        self._position = bounds.earliest
        first_ms = await self._fold(fence, progress)
        from_hour = first_comparable_hour(bounds.earliest, first_ms, self._recount.high_ms)
        verdict = LogVerdict(self._shard.number, fence, from_hour)
        names = await counter_keys(self._shard, account)
        expected = self._expected_keys(account)
        keys = expected | names
        await self._compare_conservation(verdict, state, whole=bounds.earliest == 0)
        for chunk in in_calls(keys):
            await self._compare(verdict, state, {name: keys[name] for name in chunk})
            progress(f"shard {self._shard.number}: {verdict.counters} of {len(keys)} counters' hashes compared")
        verdict.conflicts, verdict.examples = self._recount.conflicts, self._recount.examples
        return verdict

    async def _fold(self, fence: int, progress: Progress = lambda _: None) -> int | None:
        """Counts on to a fence. Returns the first record's append time (Unix ms); None if there was no record."""
        first_ms = None
        start, take = self._position, self._recount.take
        for records in self._records(start, fence):
            for record in records:
                take(record)
            if records:
                first_ms = records[0].timestamp if first_ms is None else first_ms
                done = (records[-1].offset - start) * 100 // max(1, fence - start)
                progress(f"shard {self._shard.number}: {self._recount.read:,} records counted, {done} %")
        self._position = fence
        return first_ms

    def _records(self, start: int, end: int) -> Iterator[list[LogRecord]]:
        """Yields the records of [start, end) to count; tells the recount of offsets that an order passes by."""
        for stretch in stretches(self._orders, start, end):
            if stretch.order is not None:
                self._recount.pass_by(stretch.end - stretch.start)
            else:
                yield from self._reader.read(self._topic, self._shard.number, stretch.start, stretch.end)

    async def _compare_conservation(self, verdict: LogVerdict, state: ShardState, *, whole: bool) -> None:
        found = await self._read(state, [])
        if whole:
            verdict.conservation = (self._recount.conservation(), found.state.conservation)

    async def _compare(self, verdict: LogVerdict, state: ShardState, keys: Mapping[str, "CounterKey"]) -> None:
        found = await self._read(state, list(keys))
        scope = VerifyScope(self._shard.number, verdict.from_hour)
        for name, key in keys.items():
            if key.day is not None:
                expected: Mapping[int, int] = self._recount.hours.get((key.account, key.day), {})
                verdict.differences += scope.hours(key.account, key.day, expected, found.hashes[name])
            else:
                expected = self._recount.days(key.account, key.month)
                verdict.differences += scope.days(key.account, key.month, expected, found.hashes[name])
        verdict.counters += len(keys)

    async def _read(self, before: ShardState, names: list[str]) -> Counters:
        """Reads counters, then counts on to the fence that the shard had at that moment."""
        found = await read_counters(self._shard, names)
        fence = usage_fence(self._shard.number, found.state)
        if found.state.incarnation != before.incarnation or fence < self._position:
            raise CannotTellError(f"shard {self._shard.number} was folded anew while it was read: ask again")
        await self._fold(fence)
        return found

    def _expected_keys(self, account: str | None) -> dict[str, "CounterKey"]:
        keys, recount = self._shard.keys, self._recount
        expected = {keys.hours(name, day): CounterKey(name, day=day) for name, day in recount.hours}
        expected |= {keys.days(name, month): CounterKey(name, month=month) for name, month in recount.months()}
        return {name: key for name, key in expected.items() if account in {None, key.account}}


@dataclass(frozen=True, slots=True)
class CounterKey:
    """The account of a key's counters, and their day (days since the epoch) or else their month (yyyymm)."""

    account: str
    day: int | None = None
    month: str = ""


async def counter_keys(shard: Shard, account: str | None) -> dict[str, CounterKey]:
    """Returns the keys of a shard's counters, or of one account's."""
    of = "" if account is None else f"{account}:"
    found: dict[str, CounterKey] = {}
    async for names in scan_keys(shard, f"u:{of}"):
        found |= {name: CounterKey(who, day=int(last)) for name, who, last in _split(names)}
    async for names in scan_keys(shard, f"t:{of}"):
        found |= {name: CounterKey(who, month=last) for name, who, last in _split(names)}
    return {name: key for name, key in found.items() if account in {None, key.account}}


def _split(names: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    """Yields the keys with their account and the part behind it; an account may contain colons."""
    for name in names:
        account, _, last = name.partition("}")[2][2:].rpartition(":")
        yield name, account, last


def usage_fence(shard: int, state: ShardState) -> int:
    """Returns a shard's fence of the usage log.

    Raises:
        CannotTellError: the shard has no state.
    """
    fence = state.fences.get(Log.USAGE)
    if fence is None:
        raise CannotTellError(f"shard {shard} has no state: it is being cleared, or no aggregator has folded it yet")
    return fence


def check_bounds(shard: int, fence: int, bounds: Bounds) -> None:
    """Refuses a log that the state can't be from.

    Raises:
        CannotTellError: the log does not reach the fence.
    """
    if not bounds.earliest <= fence <= bounds.end:
        raise CannotTellError(
            f"shard {shard} stands at {fence}, but its log holds {bounds.earliest} to {bounds.end}: the topic was "
            "truncated or recreated, or retention deleted what was not counted yet"
        )
