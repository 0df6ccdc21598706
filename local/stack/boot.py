"""Bringing a stack up: everything that does not wait for something else happens at the same time.

A boot is a graph. A step runs in a thread of its own once all that it needs is done; a start makes the supervisor
(in the main thread) start a service, and is done once the service answers.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread

from local.stack.display import Display
from local.stack.errors import StackError
from local.stack.supervisor import Service, Supervisor

POLL_SECONDS = 0.03
PROBE_SECONDS = 0.05
STUCK_SECONDS = 120.0  # without anything that gets on; how long a boot may take depends on how much there is to count
MOST_ENDS = 3  # a service that ended so often while booting will not come up


@dataclass(frozen=True, slots=True)
class BootStep:
    """Something to be done once.

    Attributes:
        name: as it is shown.
        needs: what must be done before.
        run: does it, in a thread of its own; returns what there is to say of it, or nothing.
        progress: how far a long one is, in words; it gets on while they change.
    """

    name: str
    needs: frozenset[str]
    run: Callable[[], str]
    progress: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Start:
    """A service to be started: done once it answers, or at once where nobody can ask it."""

    service: Service
    needs: frozenset[str]

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name


class Boot:
    """One boot, until everything is done or one thing can't be."""

    def __init__(
        self,
        tasks: Iterable[BootStep | Start],
        supervisor: Supervisor,
        display: Display,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._waiting = dict(self._tasks)
        self._running: dict[str, Future[str]] = {}
        self._done: set[str] = set()
        self._supervisor = supervisor
        self._display = display
        self._now = now
        self._sleep = sleep
        self._began = now()
        self._got_on = self._began
        self._signs: dict[str, str] = {}
        self._over = Event()

    def run(self, stopping: Callable[[], bool]) -> bool:
        """Boots. True once everything is done and runs; False as soon as `stopping()`: it is given up then.

        Raises:
            StackError: a task failed, a service keeps ending, or nothing has got on for too long.
        """
        try:
            while not stopping():
                self._supervisor.tend()
                self._launch()
                self._collect()
                if not self._waiting and not self._running and self._supervisor.all_running():
                    return True
                self._check()
                self._display.status(self._waits_for())
                self._sleep(POLL_SECONDS)
            return False
        finally:
            self._over.set()
            self._display.status("")

    def _launch(self) -> None:
        for name, task in list(self._waiting.items()):
            if not task.needs <= self._done:
                continue
            del self._waiting[name]
            if isinstance(task, BootStep):
                self._running[name] = in_background(task.run)
                continue
            self._supervisor.start(task.service)
            if task.service.answers is None:
                self._done.add(name)
            else:
                self._running[name] = in_background(partial(self._until, task.service.answers))

    def _collect(self) -> None:
        for name, running in list(self._running.items()):
            if running.done():
                del self._running[name]
                said = running.result()
                self._done.add(name)
                self._got_on = self._now()
                self._display.line(f"{self._now() - self._began:5.1f} s  {name}" + (f": {said}" if said else ""))

    def _until(self, answers: Callable[[], bool]) -> str:
        while not self._over.is_set() and not answers():
            time.sleep(PROBE_SECONDS)
        return "answers"

    def _check(self) -> None:
        for name, ends in self._supervisor.ends().items():
            if ends >= MOST_ENDS:
                raise StackError(f"{name} does not come up: {self._supervisor.last_words(name)}")
        signs = {name: self._sign(name) for name in self._running}
        if signs != self._signs:
            self._signs, self._got_on = signs, self._now()
        if self._now() - self._got_on > STUCK_SECONDS:
            late = sorted(self._running) or sorted(self._waiting)
            raise StackError(f"nothing got on for {STUCK_SECONDS:g} s: {', '.join(late)}; {self._behind(late)}")

    def _sign(self, name: str) -> str:
        """What changes while a task gets on: a step's own words, the size of a starting service's log."""
        task = self._tasks[name]
        return task.progress() if isinstance(task, BootStep) else self._supervisor.log_size(name)

    def _behind(self, late: Iterable[str]) -> str:
        """The last words of what is late, and of what it needs."""
        names = {name for task in late for name in (task, *self._tasks[task].needs)}
        words = {name: self._supervisor.last_words(name) for name in sorted(names)}
        return "; ".join(f"{name}: {said}" for name, said in words.items() if said)

    def _waits_for(self) -> str:
        if not self._running:
            return ""
        waiting = [f"{name} ({words})" if (words := self._words(name)) else name for name in sorted(self._running)]
        return f"{100 * len(self._done) // len(self._tasks)} %, waiting for {', '.join(waiting)}"

    def _words(self, name: str) -> str:
        task = self._tasks[name]
        return task.progress() if isinstance(task, BootStep) else ""


def in_background(work: Callable[[], str]) -> Future[str]:
    """Runs something in a thread that does not keep the process from ending."""
    future: Future[str] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # handed to whoever asks for the result
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
