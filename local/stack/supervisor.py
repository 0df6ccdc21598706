"""Keeps services running: starts them, starts them again when they end, stops them in order."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from local.servers.log_files import keep_small
from local.servers.ports import PortTakenError
from local.servers.process import ServerError, ServerProcess
from local.stack.back_off import next_delay
from local.stack.crash_reason import crash_reason
from local.stack.health_watch import HealthWatch

POLL_SECONDS = 0.05  # seconds between two looks while services stop
HUNG_SECONDS = 60.0  # seconds without an answer: as long as a worker's own health page allows
LOG_SECONDS = 10.0  # seconds between two looks at the size of the logs
REASON_LINES = 60  # lines of a log in which the reason of an end is searched


@dataclass(frozen=True, slots=True)
class Service:
    """A service to run.

    Attributes:
        name: the name for people.
        make: makes its process, at the first start.
        tier: services of a higher tier are stopped earlier.
        answers: the health check; may take seconds. None: there is none, so the supervisor notices only its end.
    """

    name: str
    make: Callable[[], ServerProcess]
    tier: int
    answers: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A process was started; `again`: it is not its service's first."""

    name: str
    pid: int
    again: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A process ended by itself, or could not be started; the next try is after `delay` seconds."""

    name: str
    reason: str
    delay: float


Happening = Started | Ended


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A service's process."""

    name: str
    pid: int
    log: Path


@dataclass(slots=True)
class _Watched:
    """A service and its state. `due` is the time to start it again; None while it runs."""

    service: Service
    process: ServerProcess
    started: float
    health: HealthWatch | None = None
    due: float | None = None
    delay: float | None = None
    ends: int = 0


class Supervisor:
    """Runs services. Only the main thread may call its methods; `ServerProcess` explains why."""

    def __init__(
        self,
        report: Callable[[Happening], None],
        now: Callable[[], float] = time.monotonic,
        watch: Callable[[Callable[[], bool], Callable[[], float]], HealthWatch] = HealthWatch,
        hung_seconds: float = HUNG_SECONDS,
    ) -> None:
        """`report` is called at every start and end; `now` is a monotonic clock in seconds.

        A service that has not answered for `hung_seconds` is killed, and then started again like one that ended.
        """
        self._report = report
        self._now = now
        self._watch = watch
        self._hung_seconds = hung_seconds
        self._watched: dict[str, _Watched] = {}
        self._next_look_at_logs = now()

    def start(self, service: Service) -> ServerProcess:
        """Starts a service for the first time, and watches it from now on.

        Raises:
            PortTakenError, ServerError, OSError: it can't be started.
        """
        process = service.make()
        process.spawn()
        health = self._watch(service.answers, self._now) if service.answers else None
        self._watched[service.name] = _Watched(service, process, self._now(), health)
        self._report(Started(service.name, process.pid or 0, again=False))
        return process

    def tend(self) -> None:
        """Looks at all services once: notices ends, kills hanging services, starts services whose delay is over."""
        for watched in self._watched.values():
            if watched.due is None:
                if not watched.process.running:
                    self._end(watched, _reason(watched.process))
                elif watched.health and watched.health.silent_seconds() > self._hung_seconds:
                    watched.process.kill()
                    self._end(watched, f"did not answer for {self._hung_seconds:.0f} s and was killed")
            elif self._now() >= watched.due:
                self._start_again(watched)
        if self._now() >= self._next_look_at_logs:
            self._next_look_at_logs = self._now() + LOG_SECONDS
            for watched in self._watched.values():
                keep_small(watched.process.command.log)

    def processes(self) -> list[RunningProcess]:
        """Returns the services' processes in the order of their first starts; the last process of one that is down."""
        return [
            RunningProcess(name, watched.process.pid, watched.process.command.log)
            for name, watched in self._watched.items()
            if watched.process.pid is not None
        ]

    def all_running(self) -> bool:
        """Returns whether all started services run."""
        return all(watched.due is None and watched.process.running for watched in self._watched.values())

    def ends(self) -> dict[str, int]:
        """Returns the number of ends by service, without those that the supervisor asked for."""
        return {name: watched.ends for name, watched in self._watched.items()}

    def last_words(self, name: str) -> str:
        """Returns the reason in a service's log why it does not run, with the log's path; empty if never started."""
        watched = self._watched.get(name)
        if watched is None:
            return ""
        words = crash_reason(watched.process.tail().splitlines()) or "it said nothing"
        return f"{words} (all of it: {watched.process.command.log})"

    def log_size(self, name: str) -> str:
        """Returns the size of a service's log in bytes, as text; empty if there is no log."""
        log = self._watched[name].process.command.log if name in self._watched else None
        return str(log.stat().st_size) if log and log.exists() else ""

    def stop(self, at_once: Callable[[], bool]) -> None:
        """Stops all services, the highest tier first, a tier together; kills them as soon as `at_once()` is true."""
        watched, self._watched = self._watched, {}
        for each in watched.values():
            if each.health:
                each.health.stop()
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
        if watched.health:
            watched.health.started_again()
        self._report(Started(watched.service.name, watched.process.pid or 0, again=True))

    def _end(self, watched: _Watched, reason: str) -> None:
        now = self._now()
        if watched.health:
            watched.health.started_again()
        watched.ends += 1
        watched.delay = next_delay(watched.delay, now - watched.started)
        watched.due = now + watched.delay
        self._report(Ended(watched.service.name, reason, watched.delay))


def _reason(process: ServerProcess) -> str:
    code = process.poll() or 0
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    reason = crash_reason(process.tail(REASON_LINES).splitlines())
    return f"ended with exit code {code}" + (f": {reason}" if reason else "")


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
