"""Keeps services running: starts each, starts it again when it ends, stops them all in order."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from local.servers.ports import PortTakenError
from local.servers.process import ServerError, ServerProcess
from local.stack.back_off import next_delay

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Service:
    """What is to run. `make` gives its process when it is first started; higher tiers are stopped earlier."""

    name: str
    make: Callable[[], ServerProcess]
    tier: int


@dataclass(frozen=True, slots=True)
class Started:
    """A process runs; `again` says that it is not its service's first."""

    name: str
    pid: int
    again: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A process ended, or could not be started, by itself; it is tried again after `delay` seconds."""

    name: str
    reason: str
    delay: float


Happening = Started | Ended


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """One service's process."""

    name: str
    pid: int
    log: Path


@dataclass(slots=True)
class _Watched:
    """A service and how it fares. `due` is when to start it again; None while it runs."""

    service: Service
    process: ServerProcess
    started: float
    due: float | None = None
    delay: float | None = None
    ends: int = 0


class Supervisor:
    """Runs services. Every method belongs to the main thread: see `ServerProcess` on who may start children."""

    def __init__(self, report: Callable[[Happening], None], now: Callable[[], float] = time.monotonic) -> None:
        """`report` hears of every start and end, at once; `now` is a monotonic clock in seconds."""
        self._report = report
        self._now = now
        self._watched: dict[str, _Watched] = {}

    def start(self, service: Service) -> ServerProcess:
        """Starts a service for the first time, and watches over it from now on.

        Raises:
            PortTakenError, ServerError, OSError: it can't be started.
        """
        process = service.make()
        process.spawn()
        self._watched[service.name] = _Watched(service, process, self._now())
        self._report(Started(service.name, process.pid or 0, again=False))
        return process

    def tend(self) -> None:
        """Looks after every service once: notes what ended, starts again what is due."""
        for watched in self._watched.values():
            if watched.due is None:
                if not watched.process.running:
                    self._end(watched, _reason(watched.process))
            elif self._now() >= watched.due:
                self._start_again(watched)

    def processes(self) -> list[RunningProcess]:
        """Each service's process, the last one for a service that is down, in the order of their first starts."""
        return [
            RunningProcess(name, watched.process.pid, watched.process.command.log)
            for name, watched in self._watched.items()
            if watched.process.pid is not None
        ]

    def all_running(self) -> bool:
        """Whether no started service is down."""
        return all(watched.due is None and watched.process.running for watched in self._watched.values())

    def ends(self) -> dict[str, int]:
        """How often each started service has ended by itself."""
        return {name: watched.ends for name, watched in self._watched.items()}

    def log_end(self, name: str) -> str:
        """Where a service's log is, and its last lines; empty for one that was never started."""
        watched = self._watched.get(name)
        return f"the end of {watched.process.command.log}:\n{watched.process.tail()}" if watched else ""

    def stop(self, at_once: Callable[[], bool]) -> None:
        """Stops every service, the highest tier first, those of a tier together; kills them once `at_once()`."""
        watched, self._watched = self._watched, {}
        tiers = sorted({each.service.tier for each in watched.values()}, reverse=True)
        for tier in tiers:
            _stop_together([each.process for each in watched.values() if each.service.tier == tier], at_once)

    def _start_again(self, watched: _Watched) -> None:
        watched.started = self._now()
        try:
            watched.process.spawn()
        except (PortTakenError, ServerError, OSError) as error:
            self._end(watched, str(error))
            return
        watched.due = None
        self._report(Started(watched.service.name, watched.process.pid or 0, again=True))

    def _end(self, watched: _Watched, reason: str) -> None:
        now = self._now()
        watched.ends += 1
        watched.delay = next_delay(watched.delay, now - watched.started)
        watched.due = now + watched.delay
        self._report(Ended(watched.service.name, reason, watched.delay))


def _reason(process: ServerProcess) -> str:
    code = process.poll() or 0
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    last = process.tail(1)
    return f"ended with exit code {code}" + (f": {last}" if last else "")


def _stop_together(processes: list[ServerProcess], at_once: Callable[[], bool]) -> None:
    stopping = [Thread(target=process.stop) for process in processes]
    for thread in stopping:
        thread.start()
    while any(thread.is_alive() for thread in stopping):
        if at_once():
            for process in processes:
                if process.pid is not None and process.running:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
