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
DEADLINE_SECONDS = 120.0
MOST_ENDS = 3  # a service that ended so often while booting will not come up


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done once; `run` gives what there is to say of it, or nothing."""

    name: str
    needs: frozenset[str]
    run: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Start:
    """A service to be started; `answers` says whether it does; None where only the rest of the stack can tell."""

    service: Service
    needs: frozenset[str]
    answers: Callable[[], bool] | None = None

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name


class Boot:
    """One boot, until everything is done or one thing can't be."""

    def __init__(
        self,
        tasks: Iterable[Step | Start],
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
        self._over = Event()

    def run(self, stopping: Callable[[], bool]) -> bool:
        """Boots. True once everything is done and runs; False as soon as `stopping()`: it is given up then.

        Raises:
            StackError: a task failed, a service keeps ending, or the deadline has passed.
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
            if isinstance(task, Step):
                self._running[name] = in_background(task.run)
                continue
            self._supervisor.start(task.service)
            if task.answers is None:
                self._done.add(name)
            else:
                self._running[name] = in_background(partial(self._until, task.answers))

    def _collect(self) -> None:
        for name, running in list(self._running.items()):
            if running.done():
                del self._running[name]
                said = running.result()
                self._done.add(name)
                self._display.line(f"{self._now() - self._began:5.1f} s  {name}" + (f": {said}" if said else ""))

    def _until(self, answers: Callable[[], bool]) -> str:
        while not self._over.is_set() and not answers():
            time.sleep(PROBE_SECONDS)
        return "answers"

    def _check(self) -> None:
        for name, ends in self._supervisor.ends().items():
            if ends >= MOST_ENDS:
                raise StackError(f"{name} does not come up; {self._supervisor.log_end(name)}")
        if self._now() - self._began > DEADLINE_SECONDS:
            late = sorted(self._running) or sorted(self._waiting)
            raise StackError(f"not there after {DEADLINE_SECONDS:g} s: {', '.join(late)}\n{self._logs_behind(late)}")

    def _logs_behind(self, late: Iterable[str]) -> str:
        """The ends of the logs of what is late, and of what it needs."""
        names = {name for task in late for name in (task, *self._tasks[task].needs)}
        return "\n".join(filter(None, (self._supervisor.log_end(name) for name in sorted(names))))

    def _waits_for(self) -> str:
        return "waiting for " + ", ".join(sorted(self._running)) if self._running else ""


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
