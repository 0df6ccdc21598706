"""Bringing things up: order, concurrency, and what ends it."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.servers.process import Command, ServerProcess
from local.stack.boot import DEADLINE_SECONDS, Boot, Start, Step
from local.stack.errors import StackError
from local.stack.supervisor import Service, Supervisor


class Lines:
    """A display that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        """Remembers."""
        self.lines.append(text)

    def status(self, text: str) -> None:
        """Not of interest."""


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """Whose services are killed after the test."""
    supervisor = Supervisor(lambda _: None)
    yield supervisor
    supervisor.stop(lambda: True)


def step(name: str, run: Callable[[], str] = str, needs: tuple[str, ...] = ()) -> Step:
    """A step."""
    return Step(name, frozenset(needs), run)


def service(name: str, program: str, directory: Path) -> Service:
    """A Python program as a service."""
    command = Command([sys.executable, "-c", program], directory / f"{name}.log")
    return Service(name, lambda: ServerProcess(name, command), tier=0)


def never() -> bool:
    """Nobody asks to stop."""
    return False


def test_a_step_runs_after_what_it_needs(supervisor: Supervisor) -> None:
    """Whatever the order in which they are given; each is told with what it said."""
    ran: list[str] = []

    def note(name: str) -> Callable[[], str]:
        return lambda: ran.append(name) or f"{name} is done"  # type: ignore[func-returns-value]

    steps = [step("c", note("c"), ("b",)), step("b", note("b"), ("a",)), step("a", note("a"))]
    display = Lines()
    assert Boot(steps, supervisor, display).run(never)
    assert ran == ["a", "b", "c"]
    assert [line.split("s  ")[1] for line in display.lines] == ["a: a is done", "b: b is done", "c: c is done"]


def test_independent_steps_run_at_the_same_time(supervisor: Supervisor) -> None:
    """Each of two waits for the other."""
    meeting = threading.Barrier(2, timeout=10)
    steps = [step(name, lambda: str(meeting.wait())) for name in ("a", "b")]
    assert Boot(steps, supervisor, Lines()).run(never)


def test_a_service_counts_once_it_answers(supervisor: Supervisor, tmp_path: Path) -> None:
    """What needs it waits for the answer, not for the process."""
    ready = tmp_path / "ready"
    program = f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    seen: list[bool] = []
    tasks = [
        Start(service("one", program, tmp_path), frozenset(), ready.exists),
        step("after", lambda: str(seen.append(ready.exists())), ("one",)),
    ]
    assert Boot(tasks, supervisor, Lines()).run(never)
    assert seen == [True]
    assert supervisor.all_running()


def test_a_failing_step_ends_it(supervisor: Supervisor) -> None:
    """With the step's own error."""

    def fail() -> str:
        raise StackError("this way not")

    with pytest.raises(StackError, match="this way not"):
        Boot([step("a", fail)], supervisor, Lines()).run(never)


def test_a_service_that_keeps_ending_ends_it(supervisor: Supervisor, tmp_path: Path) -> None:
    """With the end of its log."""
    failing = service("one", "import sys; sys.exit('no licence')", tmp_path)
    with pytest.raises(StackError, match=r"(?s)one does not come up.*no licence"):
        Boot([Start(failing, frozenset(), never)], supervisor, Lines()).run(never)


def test_a_deadline_ends_it(supervisor: Supervisor, tmp_path: Path) -> None:
    """With the log of what is late, and of what that needs."""
    silent = service("one", "import time; print('thinking', flush=True); time.sleep(600)", tmp_path)
    log = tmp_path / "one.log"
    clock = iter(lambda: DEADLINE_SECONDS * 2 if log.exists() and log.read_text() else 0.0, None)
    tasks = [Start(silent, frozenset()), step("ready", lambda: str(threading.Event().wait(30)), ("one",))]
    with pytest.raises(StackError, match=r"(?s)ready.*thinking"):
        Boot(tasks, supervisor, Lines(), now=lambda: next(clock)).run(never)


def test_it_is_given_up_when_asked(supervisor: Supervisor) -> None:
    """False, at once, whatever is still running."""
    assert not Boot([step("a", lambda: str(threading.Event().wait(30)))], supervisor, Lines()).run(lambda: True)
