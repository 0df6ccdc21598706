"""Rounding of call durations: a minimum and an increment, written 60/60, 30/6, 6/6, 1/1 in carriers' rate sheets."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rounding:
    """A rule for the charged seconds of a call.

    Attributes:
        minimum: the least seconds that are charged for an answered call.
        increment: the step in seconds beyond the minimum; a started step is charged completely.
    """

    minimum: int
    increment: int

    def __post_init__(self) -> None:
        for name, seconds in (("minimum", self.minimum), ("increment", self.increment)):
            if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
                raise ValueError(f"{name} {seconds!r} is no whole number of seconds from 1 on")

    def seconds(self, duration: float) -> int:
        """Returns the seconds to charge for a call; 0 for one that was not answered (0 seconds).

        Args:
            duration: seconds from answer to hang-up.

        Raises:
            ValueError: it is negative, or no number.
        """
        if not 0 <= duration < math.inf:
            raise ValueError(f"duration {duration!r} is no number of seconds from 0 on")
        if duration == 0:
            return 0
        beyond = max(math.ceil(duration) - self.minimum, 0)
        return self.minimum + math.ceil(beyond / self.increment) * self.increment


FULL_MINUTES = Rounding(60, 60)
THIRTY_SIX = Rounding(30, 6)
SIX_SECONDS = Rounding(6, 6)
PER_SECOND = Rounding(1, 1)
