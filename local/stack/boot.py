"""Boots a stack: tasks that do not depend on each other run at the same time.

A boot is a graph of tasks. A step runs in its own thread once all the tasks that it needs are done. A start makes the
supervisor (in the main thread) start a service, and is done once the service answers.
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

POLL_SECONDS = 0.03  # seconds between two turns
PROBE_SECONDS = 0.05  # seconds between two probes of a service
STUCK_SECONDS = 120.0  # seconds without progress; the boot itself may take long if there is much to count
MOST_ENDS = 3  # ends of a service during the boot, after which the boot fails


@dataclass(frozen=True, slots=True)
class BootStep:
    """A task that runs once.

    Attributes:
        name: the name for people.
        needs: the tasks that must be done before.
        run: does the work, in its own thread; returns a text to show, or an empty one.
        progress: returns the progress of a long step in words; while they change, the step makes progress.
    """

    name: str
    needs: frozenset[str]
    run: Callable[[], str]
    progress: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Start:
    """Starts a service. Done once the service answers; at once if it has no health check."""

    service: Service
    needs: frozenset[str]

    @property
    def name(self) -> str:
        """Returns the service's name."""
        return self.service.name


class Boot:
    """One boot: runs all tasks, until all are done or one fails."""

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
        """Boots. Returns True once everything is done and runs; False as soon as `stopping()` is true.

        Raises:
            StackError: a task failed, a service keeps ending, or there was no progress for too long.
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
        """Returns a text that changes while a task makes progress: a step's words, or a service's log size."""
        task = self._tasks[name]
        return task.progress() if isinstance(task, BootStep) else self._supervisor.log_size(name)

    def _behind(self, late: Iterable[str]) -> str:
        """Returns the last log messages of the late tasks, and of the tasks that they need."""
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
    """Runs `work` in a daemon thread, which does not keep the process from ending."""
    future: Future[str] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # raised again by `result()`
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
