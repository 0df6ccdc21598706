"""A shard's rows on their way to Stripe, each in a task of its own, and what came of those that arrived."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from metering.push_log import Settlement
from runtime.clock import Clock
from stripe_sync.sending.sender import Sender, Work
from stripe_sync.tasks import end_tasks
from stripe_sync.troubles import EVERYBODYS, Troubles

LINGER_SECONDS = 2.0  # rows that settle within it share a record
MOST_SETTLED = 500  # of one record: some 100 KB, and a script of a few milliseconds
REST_SECONDS = 60.0  # of a row whose sending failed by a defect, until it is tried again


class Sending:
    """One shard's. A slow row holds only itself, and so does one that can't be sent by a defect: it is in `troubles`.

    `enough` settled rows are worth a record.
    """

    def __init__(self, sender: Sender, clock: Clock, enough: int) -> None:
        self._sender = sender
        self._clock = clock
        self._enough = enough
        self._tasks: dict[str, asyncio.Task[Settlement | None]] = {}
        self._settled: dict[str, Settlement] = {}
        self._resting: dict[str, float] = {}  # until when, by the monotonic clock
        self.troubles = Troubles("the row can't be sent; it stays in flight and is tried again")
        self._done = 0  # tasks that ended since they were last collected
        self._some_done = asyncio.Event()
        self._enough_done = asyncio.Event()
        self._lingered = False

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, identifier: str) -> bool:
        """Whether the row is on its way, or has arrived and is not folded yet, or rests after a defect."""
        resting = self._resting.get(identifier, 0.0) > self._clock.monotonic()
        return resting or identifier in self._tasks or identifier in self._settled

    def start(self, work: Work) -> None:
        """Sends a row."""
        task = self._tasks[work.identifier] = asyncio.create_task(self._sender.settle(work))
        task.add_done_callback(self._note_done)

    def collect(self) -> None:
        """Takes the results of ended tasks; raises what concerns all of them."""
        self._done = 0
        self._some_done.clear()
        self._enough_done.clear()
        for identifier in [name for name, task in self._tasks.items() if task.done()]:
            try:
                settlement = self._tasks.pop(identifier).result()
            except EVERYBODYS:
                raise
            except Exception as error:
                self.troubles.note(identifier, error)
                self._resting[identifier] = self._clock.monotonic() + REST_SECONDS
                continue
            if settlement is not None:
                self._settled[identifier] = settlement
                self.troubles.forget(identifier)

    def keep(self, in_flight: Collection[str]) -> None:
        """Forgets what is folded."""
        self._settled = {name: settlement for name, settlement in self._settled.items() if name in in_flight}
        self._resting = {name: until for name, until in self._resting.items() if name in in_flight}
        self.troubles.keep(in_flight)

    def to_settle(self) -> tuple[Settlement, ...]:
        """What the next record should say: nothing while there may soon be more to say."""
        if self._tasks and len(self._settled) < self._enough and not self._lingered:
            return ()
        self._lingered = False
        return tuple(self._settled.values())[:MOST_SETTLED]

    async def wait(self, seconds: float) -> None:
        """Waits for time to pass or rows to settle: for the first one, then for enough to fill a record."""
        if not self._tasks:
            await self._clock.sleep(seconds)
            return
        if await _within(seconds, self._some_done) or self._settled:
            self._lingered = not await _within(LINGER_SECONDS, self._enough_done)

    async def stop(self) -> None:
        """Ends what is under way: it is in flight in the log, where the next owner finds it."""
        await end_tasks(self._tasks.values())

    def _note_done(self, _: "asyncio.Task[Settlement | None]") -> None:
        self._done += 1
        self._some_done.set()
        if self._done + len(self._settled) >= self._enough or self._done >= len(self._tasks):
            self._enough_done.set()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Waits for an event, but not for longer; True if it came."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
