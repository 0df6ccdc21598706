"""An event loop without threads, sockets or waiting: time is a number, and the seed decides who goes first.

Time advances only when nothing is ready. Tasks that are ready at the same moment run in an order drawn from the seed.
Whatever a simulated process scheduled belongs to it: a paused process's callbacks are held back until it is resumed
(like SIGSTOP), a dead one's are never run (like SIGKILL: no `finally`, no farewell).
"""

import asyncio
import heapq
from asyncio import Handle, Task
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from enum import Enum, auto
from random import Random
from typing import Any

MOST_STEPS_AT_ONCE = 20_000  # without time passing: something is spinning


class State(Enum):
    """Whether a process's code runs."""

    RUNNING = auto()
    PAUSED = auto()
    DEAD = auto()


class Owner:
    """Something whose callbacks can be held back: one life of a simulated process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.RUNNING
        self.held: list[Handle] = []


OWNER: ContextVar[Owner | None] = ContextVar("OWNER", default=None)


class StuckError(Exception):
    """Nothing will ever happen again, or the same things happen for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs everything of one seed. `time()` is virtual seconds since the start."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._time = 0.0
        self._steps = 0
        self.tasks: list[Task[Any]] = []  # keeps those of dead processes from being collected at a random moment
        self.owners: list[Owner] = []
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Virtual seconds."""
        return self._time

    def later(self, seconds: float, callback: Callable[[], object]) -> None:
        """Calls back in nobody's name: the world's part of a call goes on when the caller is paused or dead."""
        self.call_later(seconds, callback, context=Context())

    def start(self, owner: Owner | None, work: Coroutine[Any, Any, object]) -> Task[Any]:
        """A task of a process, or of the world; its own tasks and timers will belong to the same."""
        context = Context()
        context.run(OWNER.set, owner)
        if owner is not None:
            self.owners.append(owner)
        return self.create_task(work, context=context)

    def resume(self, owner: Owner) -> None:
        """Lets a paused process go on where it was."""
        owner.state = State.RUNNING
        self._ready.extend(owner.held)  # type: ignore[attr-defined]
        owner.held = []

    def _make_task(self, loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None) -> Any:
        task = Task(work, loop=loop, context=context)
        self.tasks.append(task)
        return task

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        self._steps += 1
        if not ready:
            if not scheduled:
                raise StuckError("nothing is left to happen")
            self._time, self._steps = max(self._time, scheduled[0]._when), 0
        if self._steps > MOST_STEPS_AT_ONCE:
            raise StuckError(f"{MOST_STEPS_AT_ONCE} steps without time passing")
        while scheduled and scheduled[0]._when <= self._time:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        batch = self._in_seeded_order(list(ready))
        ready.clear()
        for handle in batch:
            self._run_handle(handle)

    def _run_handle(self, handle: Any) -> None:
        if handle._cancelled:
            return
        owner = handle._context.get(OWNER)
        if owner is not None and owner.state is not State.RUNNING:
            owner.held.append(handle)
            return
        handle._run()

    def _in_seeded_order(self, handles: list[Any]) -> list[Any]:
        """Tasks' steps change places among each other: of one task there is one at the most, so any order is legal."""
        places = [at for at, handle in enumerate(handles) if isinstance(_owner_of(handle), Task)]
        if len(places) > 1:
            steps = [handles[at] for at in places]
            self._random.shuffle(steps)
            for at, step in zip(places, steps, strict=True):
                handles[at] = step
        return handles

    def _process_events(self, event_list: Any) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There are no threads."""


def _owner_of(handle: Any) -> object:
    return getattr(handle._callback, "__self__", None)
