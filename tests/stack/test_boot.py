"""Booting: order, concurrency, and failures."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.servers.process import Command, ServerProcess
from local.stack.boot import STUCK_SECONDS, Boot, BootStep, Start
from local.stack.errors import StackError
from local.stack.supervisor import Service, Supervisor


class Lines:
    """A display that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.statuses: list[str] = []

    def line(self, text: str) -> None:
        """Remembers."""
        self.lines.append(text)

    def status(self, text: str) -> None:
        """Remembers."""
        self.statuses.append(text)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """Whose services are killed after the test."""
    supervisor = Supervisor(lambda _: None)
    yield supervisor
    supervisor.stop(lambda: True)


def step(name: str, run: Callable[[], str] = str, needs: tuple[str, ...] = ()) -> BootStep:
    """A step."""
    return BootStep(name, frozenset(needs), run)


def service(name: str, program: str, directory: Path, answers: Callable[[], bool] | None = None) -> Service:
    """A Python program as a service."""
    command = Command([sys.executable, "-c", program], directory / f"{name}.log")
    return Service(name, lambda: ServerProcess(name, command), 0, answers)


def never() -> bool:
    """Nobody asks to stop."""
    return False


def test_a_step_runs_after_what_it_needs(supervisor: Supervisor) -> None:
    """In any order of the list; the display shows the texts that the steps return."""
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
        Start(service("one", program, tmp_path, ready.exists), frozenset()),
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
    failing = service("one", "import sys; sys.exit('no licence')", tmp_path, never)
    with pytest.raises(StackError, match=r"(?s)one does not come up.*no licence"):
        Boot([Start(failing, frozenset())], supervisor, Lines()).run(never)


def test_what_does_not_get_on_ends_it(supervisor: Supervisor, tmp_path: Path) -> None:
    """The error has the logs of the late tasks, and of the tasks that they need."""
    silent = service("one", "import time; print('thinking', flush=True); time.sleep(600)", tmp_path)
    log = tmp_path / "one.log"
    clock = iter(lambda: STUCK_SECONDS * 2 if log.exists() and log.read_text() else 0.0, None)
    tasks = [Start(silent, frozenset()), step("ready", lambda: str(threading.Event().wait(30)), ("one",))]
    with pytest.raises(StackError, match=r"(?s)ready.*thinking"):
        Boot(tasks, supervisor, Lines(), now=lambda: next(clock)).run(never)


def test_what_gets_on_may_take_its_time(supervisor: Supervisor) -> None:
    """Given a step whose words change, the boot waits, for any time, and shows the words."""
    clock, over = [0.0], threading.Event()
    display = Lines()

    def now() -> float:
        clock[0] += STUCK_SECONDS / 4
        if clock[0] > 20 * STUCK_SECONDS:
            over.set()
        return clock[0]

    slow = BootStep("count", frozenset(), lambda: str(over.wait(30)), progress=lambda: f"{clock[0]:.0f} counted")
    assert Boot([slow], supervisor, display, now=now).run(never)
    assert any("0 %, waiting for count (" in line and "counted)" in line for line in display.statuses)


def test_it_is_given_up_when_asked(supervisor: Supervisor) -> None:
    """It returns False at once, even if tasks still run."""
    assert not Boot([step("a", lambda: str(threading.Event().wait(30)))], supervisor, Lines()).run(lambda: True)
