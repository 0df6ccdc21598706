"""Traffic, and a reader beside it, while something goes wrong."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from tests.aggregator.load import ACCOUNTS, Load, write
from tests.aggregator.system import System
from tests.support.eventually import POLL_SECONDS


@dataclass
class Watch:
    """A reader who remembers the highest total of each counter."""

    system: System
    highest: Counter[tuple[str, str]] = field(default_factory=Counter)
    looks: int = 0
    refused: int = 0
    ended: bool = False

    async def go_on(self) -> None:
        """Looks until it is told to end."""
        while not self.ended:
            for account in ACCOUNTS:
                await self._look(account)
            await asyncio.sleep(POLL_SECONDS)  # the processes that are watched need the machine too

    async def _look(self, account: str) -> None:
        try:
            seen = await self.system.visible(account)
        except (RedisError, OSError):  # no answer is no smaller total
            seen = None
        self.looks += 1
        if seen is None:
            self.refused += 1
            return
        for counter, units in self.highest.items():
            assert counter[0] != account or seen[counter] >= units, f"{counter}: {seen[counter]} < {units}"
        self.highest |= seen


@asynccontextmanager
async def traffic(system: System, load: Load, count: int) -> AsyncIterator[None]:
    """Writes events while the context lasts, and the rest of `count` at its end."""
    producer = system.producer()
    failed = asyncio.Event()

    async def go_on() -> None:
        for _ in range(0, count, 250):
            if not failed.is_set():
                await asyncio.to_thread(lambda: write(producer, system.names.usage, load.events(250)))

    task = asyncio.create_task(go_on())
    try:
        yield
    except BaseException:
        failed.set()
        raise
    finally:
        await task


@asynccontextmanager
async def watched(system: System) -> AsyncIterator[Watch]:
    """Reads every account over and over while the context lasts; a smaller total than before is an error."""
    watch = Watch(system)
    task = asyncio.create_task(watch.go_on())
    try:
        yield watch
    finally:
        watch.ended = True
        await task
