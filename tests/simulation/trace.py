"""What happened, line by line: the story of a failing seed, and the proof that it replays."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NoReturn

from tests.simulation.clock import WorldTime

TAIL_LINES = 120


class ViolationError(AssertionError):
    """An invariant does not hold."""


class Trace:
    """The lines of one seed."""

    def __init__(self, time: WorldTime) -> None:
        self._time = time
        self.lines: list[str] = []
        self.violation: ViolationError | None = None
        self.closed = False
        self.stop: Callable[[], None] = lambda: None

    def say(self, who: str, what: str) -> None:
        """One event."""
        if not self.closed:
            self.lines.append(f"{self._time.elapsed():11.6f} {who:>14}  {what}")

    def fail(self, what: str) -> NoReturn:
        """Notes the first violation; raising it as well ends whoever found it."""
        self.note(what)
        raise ViolationError(what)

    def note(self, what: str) -> None:
        """Notes the first violation and ends the seed."""
        if not self.closed and self.violation is None:
            self.say("VIOLATION", what)
            self.violation = ViolationError(what)
            self.stop()

    def digest(self) -> str:
        """The same for the same story."""
        return sha256("\n".join(self.lines).encode()).hexdigest()

    def tail(self) -> str:
        """Its end."""
        return "\n".join(self.lines[-TAIL_LINES:])


class _Critical(logging.Handler):
    def __init__(self, trace: Trace, pardons: Callable[[str], bool]) -> None:
        super().__init__(logging.CRITICAL)
        self._trace = trace
        self._pardons = pardons

    def emit(self, record: logging.LogRecord) -> None:
        if not self._pardons(record.getMessage()):
            self._trace.note(record.getMessage())


@contextmanager
def critical_is_violation(trace: Trace, pardons: Callable[[str], bool]) -> Iterator[None]:
    """A shard that stops says so in the log, at the level that pages somebody; `pardons` tells that it had to."""
    handler, root = _Critical(trace, pardons), logging.getLogger()
    root.addHandler(handler)
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.removeHandler(handler)
