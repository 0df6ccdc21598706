"""Compares the units that Stripe has accepted with its summaries: by customer, meter and minute, over all shards."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain

from ledger.accepted import Lane, accepted_days, read_accepted_days
from ledger.pushes import read_in_flight, read_parked
from ledger.shard import Shard
from metering.push_fold import QUIET_MS, InFlight
from metering.span import DAY_SECONDS, MINUTE_SECONDS
from ops.logs.reader import Bounds
from ops.stripe.delivered import find_rows
from ops.stripe.desk import Desk
from ops.stripe.run import EARLY_MS
from stripe_sync.push_log.history import PushHistory, Tail
from stripe_sync.reconcile.difference import Difference, Slot, add_unresolved, judge_again, slots_of
from stripe_sync.reconcile.lane import LaneComparison
from stripe_sync.reconcile.shard import LANES_AT_ONCE, ask

Slots = dict[Lane, dict[int, Slot]]
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)  # seconds before the further looks: a rate limit or outage of Stripe may pass


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a comparison: [start, end), whole UTC hours in Unix seconds; None: all customers, all meters."""

    start: int
    end: int
    customer: str | None = None
    meter: str | None = None

    def narrowed(self, slots: Slots) -> Slots:
        """Returns the slots within the scope."""
        return {
            lane: {at: slot for at, slot in minutes.items() if self.start <= at < self.end}
            for lane, minutes in slots.items()
            if self.customer in {None, lane.customer} and self.meter in {None, lane.meter}
        }


@dataclass(slots=True)
class Reconciled:
    """The result. `silent`: questions that Stripe did not answer; `rows`: delivered rows where units are missing."""

    scope: Scope
    lanes: int = 0
    accepted: int = 0
    differences: list[Difference] = field(default_factory=list)
    silent: dict[Lane, str] = field(default_factory=dict)
    rows: dict[tuple[Lane, int], list[str]] = field(default_factory=dict)

    @property
    def unexplained(self) -> list[Difference]:
        """Returns the differences that a person must look at."""
        return [each for each in self.differences if not each.explained]

    @property
    def equal(self) -> bool:
        """Returns whether everything was compared and all differences are explained."""
        return not (self.unexplained or self.silent)


class Reconciliation:
    """Compares account by account, beside live traffic, and looks at unexplained differences a second time.

    The second look takes together all accounts that a customer ever belonged to: the surplus of one may be the usage
    of another. A change during Stripe's answer is an explanation too. Questions without an answer are asked again.
    """

    def __init__(
        self,
        desk: Desk,
        history: PushHistory,
        lanes: LaneComparison,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        progress: Callable[[int, int], None] = lambda _accounts, _of: None,
    ) -> None:
        """`progress` takes the number of accounts read so far, and an estimate of their total."""
        self._progress = progress
        self._sleep = sleep
        self._desk = desk
        self._history = history
        self._lanes = lanes

    async def run(self, scope: Scope) -> Reconciled:
        """Compares everything in scope.

        Raises:
            NotReadyError: a shard's push log is being folded.
            stripe.StripeError: Stripe refuses the key.
        """
        result = Reconciled(scope)
        group = list[tuple[Lane, Mapping[int, Slot]]]()
        async for slots in self._accounts(scope, self._progress):
            for lane, minutes in slots.items():
                if minutes:
                    result.lanes += 1
                    result.accepted += sum(slot.accepted for slot in minutes.values())
                    group.append((lane, minutes))
            if len(group) >= LANES_AT_ONCE:
                await self._ask(result, group)
                group.clear()
        await self._ask(result, group)
        await self._look_again(result)
        result.differences.sort(key=lambda each: (each.lane, each.start, each.seconds))
        result.rows = self._rows(result)
        return result

    async def _ask(self, result: Reconciled, group: list[tuple[Lane, Mapping[int, Slot]]]) -> None:
        scope = result.scope
        answers = await asyncio.gather(
            *(ask(self._lanes, lane, minutes, scope.start, scope.end) for lane, minutes in group)
        )
        for (lane, minutes), answer in zip(group, answers, strict=True):
            if not isinstance(answer, str):
                result.differences += answer
            elif any(slot.accepted for slot in minutes.values()):  # without accepted units, none can be missing
                result.silent[lane] = answer

    async def _look_again(self, result: Reconciled) -> None:
        """Asks Stripe again about unexplained differences and missing answers; reads our sums before and after."""
        for pause in PAUSES:
            lanes = {each.lane for each in result.unexplained} | result.silent.keys()
            if not lanes:
                return
            await self._sleep(pause)
            before = await self._whole(result.scope, lanes)
            result.differences = [each for each in result.differences if each.lane not in lanes]
            result.silent.clear()
            known = len(result.differences)
            await self._ask(result, list(before.items()))
            after = await self._whole(result.scope, {each.lane for each in result.unexplained})
            result.differences[known:] = [
                judge_again(each, before[each.lane], after.get(each.lane, {})) for each in result.differences[known:]
            ]
            if not result.silent and all(after[each.lane] == before[each.lane] for each in result.unexplained):
                return  # our sums did not change: another look would find the same

    async def _whole(self, scope: Scope, lanes: Collection[Lane]) -> dict[Lane, dict[int, Slot]]:
        """Returns the minutes of some customers and meters, summed over all accounts that they ever belonged to."""
        whole: dict[Lane, dict[int, Slot]] = {lane: {} for lane in lanes}
        if not whole:
            return whole
        async for slots in self._accounts(scope):
            for lane in whole.keys() & slots.keys():
                for at, slot in slots[lane].items():
                    whole[lane][at] = whole[lane].get(at, Slot()) + slot
        return whole

    async def _accounts(
        self, scope: Scope, progress: Callable[[int, int], None] = lambda _accounts, _of: None
    ) -> AsyncIterator[Slots]:
        """Yields the slots within the scope, account by account."""
        read, shards, known = 0, self._desk.shards, 0
        for begun, shard in enumerate(shards, 1):
            tail = Tail(self._history, shard.number, self._desk.now_ms() - QUIET_MS)
            await tail.open()
            unresolved = await _unresolved(shard)
            days = await accepted_days(shard)
            known += len(days.keys() | unresolved.keys())
            for account in sorted(days.keys() | unresolved.keys()):
                read += 1
                progress(read, known * len(shards) // begun)
                chosen = [day for day in days.get(account, ()) if scope.start < (day + 1) * DAY_SECONDS]
                chosen = [day for day in chosen if day * DAY_SECONDS < scope.end]
                accepted = await read_accepted_days(shard, account, chosen)
                await tail.advance()
                slots = slots_of(accepted.units, tail.deliveries.units, accepted.carried)
                add_unresolved(slots, unresolved.get(account, ()))
                yield scope.narrowed(slots)

    def _rows(self, result: Reconciled) -> dict[tuple[Lane, int], list[str]]:
        """Returns the delivered rows of minutes that lack units: the candidates for `billing stripe park`."""
        wanted = {(each.lane, each.start) for each in result.unexplained if each.missing}
        found: defaultdict[tuple[Lane, int], list[str]] = defaultdict(list)
        if not wanted:
            return found
        begin_ms = max(0, min(start for _, start in wanted) * 1000 - EARLY_MS)
        topic, reader = self._desk.topic, self._desk.reader
        starts = reader.offsets_at(topic, begin_ms)
        for shard, held in reader.bounds(topic).items():
            stretch = Bounds(max(starts[shard] or held.earliest, held.earliest), held.end)
            rows = find_rows(
                reader, topic, shard, stretch, lambda row, _: _place(row.customer, row.meter, row.timestamp) in wanted
            )
            for identifier, logged in rows.items():
                if logged.delivered_ms is not None:
                    found[_place(logged.row.customer, logged.row.meter, logged.row.timestamp)].append(identifier)
        return found


def _place(customer: str, meter: str, timestamp: int) -> tuple[Lane, int]:
    return Lane(customer, meter), timestamp // MINUTE_SECONDS * MINUTE_SECONDS


async def _unresolved(shard: Shard) -> dict[str, list[InFlight]]:
    found: defaultdict[str, list[InFlight]] = defaultdict(list)
    for entry in chain((await read_in_flight(shard)).values(), (await read_parked(shard)).values()):
        found[entry.row.account].append(entry)
    return found
