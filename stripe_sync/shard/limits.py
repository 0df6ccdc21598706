"""How fast rows are made."""

from dataclasses import dataclass

from metering.push_log import MAX_ROWS

LEAST_RECORDS, MOST_RECORDS = 3, 10  # in flight: the next rows are prepared while the last are on their way
SECONDS_IN_FLIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one shard.

    Attributes:
        push_interval: how often a bucket may be pushed, in seconds.
        grace: how long Stripe waits before an invoice is final, in seconds.
        most_in_flight: rows that may be on their way.
        alarm_units: of one account, meter and hour: above them somebody is told; 0: nobody is.
    """

    push_interval: float
    grace: int
    most_in_flight: int = LEAST_RECORDS * MAX_ROWS
    alarm_units: int = 0


def most_in_flight(rate: float) -> int:
    """How many rows of a shard may be on their way, at so many a second: each must leave soon after it was prepared."""
    return MAX_ROWS * max(LEAST_RECORDS, min(MOST_RECORDS, int(rate * SECONDS_IN_FLIGHT / MAX_ROWS)))
