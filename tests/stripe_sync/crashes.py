"""A worker that dies at one of its calls."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from tests.support.eventually import eventually_async

from .world import World, running

T = TypeVar("T")


@dataclass
class Crash:
    """Dies at the `nth` call whose name begins with `call`: before it, or `after` it took effect, unheard.

    From then on no call of the worker does anything, until it is cancelled.
    """

    nth: int
    call: str = ""
    after: bool = False
    seen: int = 0
    died: asyncio.Event = field(default_factory=asyncio.Event)
    at: str = ""

    async def __call__(self, name: str, perform: Callable[[], Awaitable[T]]) -> T:
        """Passes everything on until it is time."""
        if self.died.is_set():
            await asyncio.Event().wait()
        if name.startswith(self.call):
            self.seen += 1
            if self.seen == self.nth:
                if self.after:
                    await perform()
                self.at = name
                self.died.set()
                await asyncio.Event().wait()
        return await perform()


AT_ONCE = 6


async def for_every_call(attempt: Callable[[int], Awaitable[bool]]) -> int:
    """Tries the first call, the second, and so on, until one answers that there was no such call; gives how many."""
    for first in count(1, AT_ONCE):
        found = await asyncio.gather(*(attempt(nth) for nth in range(first, first + AT_ONCE)))
        if not all(found):
            return first - 1 + sum(found)
    raise AssertionError


async def work_until(world: World, crash: Crash) -> bool:
    """Runs a worker until it has died or everything is settled; True if it died."""

    async def over() -> bool:
        return crash.died.is_set() or await world.is_settled()

    async with running(world.worker(crash)):
        await eventually_async(over)
    return crash.died.is_set()
