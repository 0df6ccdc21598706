"""Time as a dependency: a simulation brings its own."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks and a way to wait."""

    def now_ms(self) -> int:
        """The wall clock: Unix milliseconds. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow. May stand still while the machine sleeps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """The wall clock: Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)
