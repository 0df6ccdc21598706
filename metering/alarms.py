"""When somebody should look at what is not billed yet: decided from one shard's standing."""

from collections.abc import Sequence
from dataclasses import dataclass

from metering.billing_time import OLDEST_SECONDS
from metering.span import DAY_SECONDS
from metering.troubles.finding import Finding, Param
from metering.troubles.names import Trouble

HELD_SECONDS = 60.0  # of an open transaction: they take milliseconds to seconds; by then freshness is a minute old


@dataclass(frozen=True, slots=True)
class Distances:
    """How early to say so, in seconds."""

    cutoff: float = 3600.0
    too_old: float = 4.0 * DAY_SECONDS
    in_flight: float = 12 * 3600.0
    skew: float = 60.0
    parked: float = 100.0 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Standing:
    """What is not billed yet of a shard. Times are Unix seconds, None for nothing.

    Attributes:
        cutoff: the nearest cut-off of units that are due.
        oldest: the effective time of the oldest units that are due.
        in_flight_since: when the oldest row in flight was prepared.
        parked_since: since when the oldest parked row waits.
        disputed: units due whose customer several accounts claim.
        disputing: some of their accounts.
        missing: units that Stripe has accepted and its summaries lack.
        skew: the broker's clock minus ours, in seconds.
    """

    cutoff: int | None = None
    oldest: int | None = None
    in_flight_since: float | None = None
    parked_since: float | None = None
    disputed: int = 0
    disputing: Sequence[str] = ()
    missing: int = 0
    skew: float = 0.0


def alarms(shard: int, standing: Standing, now: float, distances: Distances) -> list[Finding]:
    """What of a shard somebody should look at now."""
    rung = list[Finding]()

    def ring(trouble: Trouble, detail: str = "", **params: Param) -> None:
        rung.append(Finding(trouble, shard, params, detail))

    if standing.cutoff is not None and standing.cutoff - now < distances.cutoff:
        ring(Trouble.CUTOFF_NEAR, left=max(0.0, standing.cutoff - now))
    for trouble, since, most in (
        (Trouble.TOO_OLD_NEAR, standing.oldest, OLDEST_SECONDS - distances.too_old),
        (Trouble.IN_FLIGHT_LONG, standing.in_flight_since, distances.in_flight),
        (Trouble.PARKED_LONG, standing.parked_since, distances.parked),
    ):
        if since is not None and now - since > most:
            ring(trouble, seconds=now - since)
    if abs(standing.skew) > distances.skew:
        ring(Trouble.CLOCK_SKEW, f"Kafka's is {standing.skew:+.0f} s from the worker's", seconds=abs(standing.skew))
    if standing.disputed:
        ring(Trouble.DISPUTED, "accounts " + ", ".join(standing.disputing), units=standing.disputed)
    if standing.missing:
        ring(Trouble.MISSING, units=standing.missing)
    return rung
