"""Stripe's summaries of one customer and meter: one question for all days, finer ones only where they differ."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

from ledger.accepted import Lane
from metering.bucket import HOUR_SECONDS
from metering.span import DAY_SECONDS, MINUTE_SECONDS
from stripe_sync.reconcile.difference import Difference, DifferenceReason, Slot, judge
from stripe_sync.stripe_api.summaries import as_told


class Windows(Protocol):
    """Stripe's summaries of a range, in Unix seconds: summed, or by hour or day."""

    async def total(self, customer: str, meter: str, start: int, end: int) -> int:
        """All of it."""
        ...

    async def windows(
        self, customer: str, meter: str, start: int, end: int, window: Literal["hour", "day"]
    ) -> dict[int, int]:
        """Each hour or day that has units."""
        ...


class LaneComparison:
    """Compares customers and meters, one by one. `admit` waits for the next question's turn."""

    def __init__(self, summaries: Windows, admit: Callable[[], Awaitable[None]]) -> None:
        self._summaries = summaries
        self._admit = admit

    async def differences(self, lane: Lane, minutes: Mapping[int, Slot], start: int, end: int) -> list[Difference]:
        """What differs in [start, end), whole UTC hours in Unix seconds, explained or not.

        Args:
            lane: whose.
            minutes: what we know, by minute; nothing else is there.
            start: see above.
            end: see above.

        Raises:
            stripe.StripeError: Stripe can't tell.
        """
        first, last = -(-start // DAY_SECONDS) * DAY_SECONDS, end // DAY_SECONDS * DAY_SECONDS
        if first >= last:
            return await self._hours(lane, minutes, start, end)
        found = await self._hours(lane, minutes, start, first) if start < first else []
        held = await self._ask(lane, first, last, "day")
        known = _sums(minutes, first, last, DAY_SECONDS)
        for day in sorted(known.keys() | held.keys()):
            if held.get(day, 0) != as_told(known[day].accepted):
                found += await self._hours(lane, minutes, day, day + DAY_SECONDS)
        return found + (await self._hours(lane, minutes, last, end) if last < end else [])

    async def _hours(self, lane: Lane, minutes: Mapping[int, Slot], start: int, end: int) -> list[Difference]:
        held = await self._ask(lane, start, end, "hour")
        known = _sums(minutes, start, end, HOUR_SECONDS)
        found = []
        for hour in sorted(known.keys() | held.keys()):
            if held.get(hour, 0) != as_told(known[hour].accepted):
                within = {at: slot for at, slot in minutes.items() if hour <= at < hour + HOUR_SECONDS}
                found += await self._minutes(lane, within, hour, held.get(hour, 0))
        return found

    async def _minutes(self, lane: Lane, minutes: Mapping[int, Slot], hour: int, held: int) -> list[Difference]:
        if len(minutes) == 1:
            ((minute, slot),) = minutes.items()
            why = judge(slot, held)
            if DifferenceReason.UNKNOWN not in why:
                return [Difference(lane, minute, MINUTE_SECONDS, slot, held, why)]
        found, elsewhere = [], held
        for minute, slot in sorted(minutes.items()):
            await self._admit()
            units = await self._summaries.total(*lane, minute, minute + MINUTE_SECONDS)
            elsewhere -= units
            why = judge(slot, units)
            if why:
                found.append(Difference(lane, minute, MINUTE_SECONDS, slot, units, why))
        if elsewhere > 0:
            found.append(Difference(lane, hour, HOUR_SECONDS, Slot(), elsewhere, (DifferenceReason.UNKNOWN,)))
        return found

    async def _ask(self, lane: Lane, start: int, end: int, window: Literal["hour", "day"]) -> dict[int, int]:
        await self._admit()
        return await self._summaries.windows(*lane, start, end, window)


def _sums(minutes: Mapping[int, Slot], start: int, end: int, seconds: int) -> defaultdict[int, Slot]:
    """The slots of [start, end) by windows of so many seconds."""
    sums: defaultdict[int, Slot] = defaultdict(Slot)
    for minute, slot in minutes.items():
        if start <= minute < end:
            sums[minute // seconds * seconds] += slot
    return sums
