"""A clock that stands still until it is moved."""

import asyncio

from tests.ledger_push.counts import NOON

_MOMENT = 0.002


class ManualClock:
    """Both clocks; whoever sleeps moves them and goes on. `slept` is how long, each time."""

    def __init__(self, now: float = NOON) -> None:
        self._wall = float(now)
        self._monotonic = 0.0
        self.slept: list[float] = []

    def now_ms(self) -> int:
        """The wall clock: Unix milliseconds."""
        return int(self._wall * 1000)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Moves both."""
        self._wall += seconds
        self._monotonic += seconds

    def set_wall(self, seconds: float) -> None:
        """Moves the wall clock only, by so many seconds."""
        self._wall += seconds

    def stand_wall(self, seconds: float) -> None:
        """Time passes, and the wall clock does not tell."""
        self._monotonic += seconds

    async def sleep(self, seconds: float) -> None:
        """Takes next to no time: just enough that nobody who waits for something keeps a processor busy."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(_MOMENT)
