"""The double's own clock: it ticks like the real one and can be moved, so that a test needn't wait 24 hours."""

import time
from collections.abc import Callable


class StripeClock:
    """Wall time plus a movable offset, in Unix seconds."""

    def __init__(self, wall: Callable[[], float] = time.time, offset: float = 0.0) -> None:
        self.wall = wall
        self.offset = offset

    def now(self) -> float:
        """Returns the double's time, Unix seconds."""
        return self.wall() + self.offset

    def advance(self, seconds: float) -> None:
        """Moves the clock by `seconds`; a negative number moves it back."""
        self.offset += seconds

    def set(self, at: float) -> None:
        """Moves the clock to `at` (Unix seconds)."""
        self.offset = at - self.wall()
