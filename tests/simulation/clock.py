"""Time in the world, and what the clocks of its machines show."""

import asyncio

from tests.simulation.loop import VirtualLoop

TOLERATED_MS = 20 * 60 * 1000
MOST_LEAPT_MS = 35 * 24 * 3600 * 1000


class WorldTime:
    """The true time. It can leap: every machine sleeps meanwhile, so that no monotonic clock notices.

    `most_ahead_ms` is how far any clock has ever been ahead of it; more than is tolerated the product must notice.
    """

    def __init__(self, loop: VirtualLoop, start_ms: int) -> None:
        self._loop = loop
        self._start_ms = start_ms
        self._leapt_ms = 0
        self.most_ahead_ms = 0

    def now_ms(self) -> int:
        """True Unix milliseconds."""
        return self._start_ms + self._leapt_ms + int(self._loop.time() * 1000)

    def note_skew(self, skew_ms: int) -> None:
        """Some machine's clock is off by so much."""
        self.most_ahead_ms = min(max(self.most_ahead_ms, skew_ms), TOLERATED_MS)

    def elapsed(self) -> float:
        """Seconds that machines were awake."""
        return self._loop.time()

    def leap(self, seconds: float) -> None:
        """Time passes while everybody sleeps; in all no more than makes what is counted too old to be kept."""
        self._leapt_ms = min(self._leapt_ms + int(seconds * 1000), MOST_LEAPT_MS)


class ProcessClock:
    """A machine's clocks, as `runtime.clock.Clock`: the wall clock is off by `skew_ms`, which may change, back too."""

    def __init__(self, time: WorldTime, skew_ms: int = 0) -> None:
        self._time = time
        self.set_off(skew_ms)

    def set_off(self, skew_ms: int) -> None:
        """From now on it is off by so much."""
        self._skew_ms = skew_ms
        self._time.note_skew(skew_ms)

    def now_ms(self) -> int:
        """What the wall clock shows."""
        return self._time.now_ms() + self._skew_ms

    def monotonic(self) -> float:
        """Stands still while the machine sleeps."""
        return self._time.elapsed()

    async def sleep(self, seconds: float) -> None:
        """Waits in virtual time."""
        await asyncio.sleep(seconds)
