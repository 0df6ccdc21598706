"""Services that are kept running: real processes."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from local.servers.log_files import keep_small, tail
from local.servers.process import Command, ServerProcess
from local.stack.health_watch import HealthWatch
from local.stack.supervisor import Ended, Happening, Service, Started, Supervisor
from tests.support.eventually import eventually

FOREVER = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"
FAILING = "import sys; sys.exit('cannot')"


class Watched:
    """A supervisor and its reports."""

    def __init__(self, directory: Path) -> None:
        self.happenings: list[Happening] = []
        self.supervisor = Supervisor(self.happenings.append, watch=partial(HealthWatch, probe_seconds=0.02))
        self._directory = directory

    def start(
        self, name: str, program: str = FOREVER, tier: int = 0, answers: Callable[[], bool] | None = None
    ) -> ServerProcess:
        """Runs a Python program as a service."""
        command = Command([sys.executable, "-c", program], self._directory / f"{name}.log")
        return self.supervisor.start(Service(name, lambda: ServerProcess(name, command), tier, answers))

    def until(self, condition: Callable[[], bool]) -> None:
        """Tends until the condition holds."""

        def tended() -> bool:
            self.supervisor.tend()
            return condition()

        eventually(tended)

    def pid(self, name: str) -> int:
        """The service's process id as it is reported."""
        return next(process.pid for process in self.supervisor.processes() if process.name == name)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A supervisor whose services are killed after the test."""
    watched = Watched(tmp_path)
    yield watched
    watched.supervisor.stop(lambda: True)


def test_a_killed_service_is_started_again(watched: Watched) -> None:
    """Its end and its new start are reported, with the new process id."""
    first = watched.start("one").pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    watched.until(lambda: watched.pid("one") != first)
    assert watched.happenings == [
        Started("one", first, again=False),
        Ended("one", "was killed by SIGKILL", 0.2),
        Started("one", watched.pid("one"), again=True),
    ]
    assert watched.supervisor.all_running()


def test_a_frozen_service_is_killed_and_started_again(tmp_path: Path) -> None:
    """Given a service that stops answering: it is killed after some time, and runs again."""
    happenings: list[Happening] = []
    clock, well = [0.0], [True]
    watch = partial(HealthWatch, probe_seconds=0.02)
    supervisor = Supervisor(happenings.append, now=lambda: clock[0], watch=watch, hung_seconds=60)
    command = Command([sys.executable, "-c", FOREVER], tmp_path / "one.log")
    answered: list[float] = []

    def answers() -> bool:
        answered.append(clock[0])
        return well[0]

    first = supervisor.start(Service("one", lambda: ServerProcess("one", command), 0, answers)).pid
    try:
        eventually(lambda: len(answered) > 1)
        supervisor.tend()
        well[0] = False
        os.kill(first or 0, signal.SIGSTOP)

        def ended() -> bool:
            clock[0] += 61
            supervisor.tend()
            return len(happenings) > 1

        eventually(ended)
        assert happenings[1] == Ended("one", "did not answer for 60 s and was killed", 0.2)
        clock[0] += 1
        supervisor.tend()
        assert isinstance(happenings[2], Started)
        clock[0] += 1000  # a service that has not answered since its start is the boot's business
        supervisor.tend()
        assert len(happenings) == 3
    finally:
        supervisor.stop(lambda: True)


def test_a_log_is_kept_small_while_it_is_written(tmp_path: Path) -> None:
    """Beyond its bound it is moved aside, and goes on in the same file."""
    log = tmp_path / "one.log"
    with log.open("ab") as writer:
        writer.write(b"old\n" * 10)
        writer.flush()
        keep_small(log, most_bytes=20)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "one.log.1").read_bytes() == b"old\n" * 10
    assert tail(log, 5, start=30) == ["new"]


def test_a_failing_service_is_retried_more_and_more_slowly(watched: Watched) -> None:
    """Each end tells the exit code and the last line of the log."""
    watched.start("one", FAILING)
    watched.until(lambda: watched.supervisor.ends() == {"one": 3})
    ends = [happening for happening in watched.happenings if isinstance(happening, Ended)]
    assert [end.delay for end in ends] == [0.2, 0.4, 0.8]
    assert {end.reason for end in ends} == {"ended with exit code 1: cannot"}
    assert "cannot" in watched.supervisor.last_words("one")


def test_stopping_goes_from_the_highest_tier_to_the_lowest(watched: Watched) -> None:
    """A higher tier is gone before a lower one is asked to end."""
    lower, higher = watched.start("server", tier=0), watched.start("client", STUBBORN, tier=1)
    eventually(lambda: higher.tail() == "deaf")
    lower_ran: list[bool] = []

    def at_once() -> bool:
        lower_ran.append(lower.running)
        return True

    watched.supervisor.stop(at_once)
    assert lower_ran[0]
    assert not lower.running
    assert not higher.running
    assert higher.poll() == -signal.SIGKILL


def test_nothing_is_started_again_once_stopped(watched: Watched) -> None:
    """What was stopped stays so."""
    pid = watched.start("one").pid
    assert pid is not None
    watched.supervisor.stop(lambda: False)
    watched.supervisor.tend()
    assert not psutil.pid_exists(pid)
    assert watched.supervisor.processes() == []
