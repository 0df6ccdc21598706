"""When somebody should look at what is not billed yet: decided from one shard's standing."""

from dataclasses import dataclass
from enum import StrEnum

from metering.billing_time import OLDEST_SECONDS
from metering.span import DAY_SECONDS


class Alarm(StrEnum):
    """What is about to go wrong, or has."""

    CUTOFF_NEAR = "cutoff_near"
    """Units are due whose invoice will soon be final: what is late is carried forward."""
    TOO_OLD_NEAR = "too_old_near"
    """Units are due that will soon be older than Stripe takes."""
    IN_FLIGHT_LONG = "in_flight_long"
    """A row has been on its way for so long that Stripe will soon forget its identifier."""
    CLOCK_SKEW = "clock_skew"
    """The broker's clock and this machine's differ: ages and deadlines are judged wrongly."""


@dataclass(frozen=True, slots=True)
class Distances:
    """How early to say so, in seconds."""

    cutoff: float = 3600.0
    too_old: float = 4.0 * DAY_SECONDS
    in_flight: float = 12 * 3600.0
    skew: float = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What is not billed yet of a shard. Times are Unix seconds, None for nothing.

    Attributes:
        cutoff: the nearest cut-off of units that are due.
        oldest: the effective time of the oldest units that are due.
        in_flight_since: when the oldest row in flight was prepared.
        skew: the broker's clock minus ours, in seconds.
    """

    cutoff: int | None = None
    oldest: int | None = None
    in_flight_since: float | None = None
    skew: float = 0.0


def alarms(standing: Standing, now: float, distances: Distances) -> set[Alarm]:
    """The alarms that ring now."""
    rung = {
        Alarm.CUTOFF_NEAR: standing.cutoff is not None and standing.cutoff - now < distances.cutoff,
        Alarm.TOO_OLD_NEAR: standing.oldest is not None and now - standing.oldest > OLDEST_SECONDS - distances.too_old,
        Alarm.IN_FLIGHT_LONG: standing.in_flight_since is not None
        and now - standing.in_flight_since > distances.in_flight,
        Alarm.CLOCK_SKEW: abs(standing.skew) > distances.skew,
    }
    return {alarm for alarm, rings in rung.items() if rings}
