"""Time in the world, and what the clocks of its machines show."""

import asyncio

from tests.simulation.loop import VirtualLoop


class WorldTime:
    """The true time. It can leap: every machine sleeps meanwhile, so that no monotonic clock notices."""

    def __init__(self, loop: VirtualLoop, start_ms: int) -> None:
        self._loop = loop
        self._start_ms = start_ms
        self._leapt_ms = 0

    def now_ms(self) -> int:
        """True Unix milliseconds."""
        return self._start_ms + self._leapt_ms + int(self._loop.time() * 1000)

    def elapsed(self) -> float:
        """Seconds that machines were awake."""
        return self._loop.time()

    def leap(self, seconds: float) -> None:
        """Time passes while everybody sleeps."""
        self._leapt_ms += int(seconds * 1000)


class ProcessClock:
    """A machine's clocks, as `runtime.clock.Clock`: the wall clock is off by `skew_ms`, which may change, back too."""

    def __init__(self, time: WorldTime, skew_ms: int = 0) -> None:
        self._time = time
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        """What the wall clock shows."""
        return self._time.now_ms() + self.skew_ms

    def monotonic(self) -> float:
        """Stands still while the machine sleeps."""
        return self._time.elapsed()

    async def sleep(self, seconds: float) -> None:
        """Waits in virtual time."""
        await asyncio.sleep(seconds)
