"""Accepted is not billed: what a difference between our sum and Stripe's means. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ledger.accepted import Lane
from metering.push_fold import InFlight, Parked
from metering.rfc3339 import from_unix
from metering.span import MINUTE_SECONDS
from stripe_sync.stripe_api.summaries import as_told


class DifferenceReason(StrEnum):
    """Why two sums may differ though nothing is wrong, or that nobody knows why."""

    TOO_FRESH = "too fresh"
    """Delivered less than three hours ago: summaries lag."""
    IN_FLIGHT = "in flight"
    """Stripe holds a row whose delivery is not settled yet."""
    PARKED = "parked"
    """Stripe holds a row that is parked here: retry it, and it is found to be delivered."""
    CHANGED = "changed meanwhile"
    """Rows were prepared or delivered between our look and Stripe's answer: it lies between the two sums."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Slot:
    """Units of a stretch of time, of one customer and meter.

    Attributes:
        accepted: what Stripe has accepted, by the push log.
        fresh: how much of that it has accepted less than three hours ago.
        in_flight: of rows that are not settled; Stripe may hold them.
        parked: of rows that wait for a person; Stripe should not hold them.
        carried: how much of `accepted` was used in an earlier period.
    """

    accepted: int = 0
    fresh: int = 0
    in_flight: int = 0
    parked: int = 0
    carried: int = 0

    def __add__(self, other: "Slot") -> "Slot":
        return Slot(
            self.accepted + other.accepted,
            self.fresh + other.fresh,
            self.in_flight + other.in_flight,
            self.parked + other.parked,
            self.carried + other.carried,
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """A minute, or the rest of an hour that no row of ours is in, whose sums differ. `start` in Unix seconds."""

    lane: Lane
    start: int
    seconds: int
    slot: Slot
    held: int
    explanations: tuple[DifferenceReason, ...]

    @property
    def missing(self) -> int:
        """Units that Stripe must have by now, and has not."""
        return max(0, as_told(self.slot.accepted - self.slot.fresh) - self.held)

    @property
    def explained(self) -> bool:
        """False if a person must look at it."""
        return DifferenceReason.UNKNOWN not in self.explanations

    def __str__(self) -> str:
        moment = from_unix(self.start)
        when = moment if self.seconds == MINUTE_SECONDS else f"another minute of the hour {moment}"
        return (
            f"customer {self.lane.customer}, meter {self.lane.meter}, {when}: Stripe has accepted "
            f"{self.slot.accepted}, its summary says {self.held} ({', '.join(self.explanations)})"
        )


def judge(slot: Slot, held: int) -> tuple[DifferenceReason, ...]:
    """What explains that Stripe's summary says `held`; nothing where the sums are equal.

    A minute has at most one unresolved row, which Stripe holds whole or not at all. Of what is fresh it may show any
    part.
    """
    if held == as_told(slot.accepted):
        return ()
    explained = [(0, ()), (slot.in_flight, (DifferenceReason.IN_FLIGHT,)), (slot.parked, (DifferenceReason.PARKED,))]
    for units, why in explained:
        if why and not units:
            continue
        most = as_told(slot.accepted + units)
        if as_told(slot.accepted + units - slot.fresh) <= held <= most:
            return (*why, DifferenceReason.TOO_FRESH) if held < most else why
    return (DifferenceReason.UNKNOWN,)


def judge_again(difference: Difference, before: Mapping[int, Slot], after: Mapping[int, Slot]) -> Difference:
    """A difference of a lane whose minutes were looked at before Stripe answered and after.

    Stripe had at least what was accepted, and not fresh, before; and at most what was accepted or unresolved after: a
    row is in the push log before Stripe is told of it.
    """
    if difference.explained:
        return difference
    if difference.start in before and difference.seconds == MINUTE_SECONDS:
        latest = after.get(difference.start, Slot())
    else:
        hour = range(difference.start, difference.start + difference.seconds)
        latest = sum((slot for at, slot in after.items() if at in hour and at not in before), Slot())
    least, most = difference.slot.accepted - difference.slot.fresh, latest.accepted + latest.in_flight + latest.parked
    if latest != difference.slot and least <= difference.held <= most:
        return replace(difference, explanations=(DifferenceReason.CHANGED,))
    return difference


def add_unresolved(slots: dict[Lane, dict[int, Slot]], entries: Iterable[InFlight]) -> None:
    """Adds rows in flight and parked rows to the minutes of their timestamps."""
    for entry in entries:
        row = entry.row
        minutes = slots.setdefault(Lane(row.customer, row.meter), {})
        parked = isinstance(entry, Parked)
        added = Slot(parked=row.value) if parked else Slot(in_flight=row.value)
        minute = row.timestamp // MINUTE_SECONDS * MINUTE_SECONDS
        minutes[minute] = minutes.get(minute, Slot()) + added


def slots_of(
    units: Mapping[Lane, Mapping[int, int]],
    fresh: Mapping[tuple[Lane, int], int],
    carried: Mapping[str, Mapping[int, int]],
) -> dict[Lane, dict[int, Slot]]:
    """Each lane's minutes: accepted units, how much of them is fresh, and how much was carried."""
    return {
        lane: {
            minute: Slot(
                accepted,
                min(accepted, fresh.get((lane, minute), 0)),
                carried=carried.get(lane.meter, {}).get(minute, 0),
            )
            for minute, accepted in minutes.items()
        }
        for lane, minutes in units.items()
    }
