"""Watches whether running services still answer: a frozen process is as bad as one that ended."""

from collections.abc import Callable
from threading import Event, Thread

PROBE_SECONDS = 5.0  # seconds between two probes


class HealthWatch:
    """Asks one service again and again, in its own thread, because a hanging service answers late or never.

    A service that has not answered since its start does not count as silent: the boot waits for that.
    """

    def __init__(
        self, answers: Callable[[], bool], now: Callable[[], float], probe_seconds: float = PROBE_SECONDS
    ) -> None:
        """`now` is a monotonic clock in seconds."""
        self._answers = answers
        self._now = now
        self._probe_seconds = probe_seconds
        self._last: float | None = None
        self._life = 0
        self._over = Event()
        Thread(target=self._ask, daemon=True).start()

    def silent_seconds(self) -> float:
        """Returns the seconds since the last answer of the running process; 0 before its first answer."""
        last = self._last
        return 0.0 if last is None else self._now() - last

    def started_again(self) -> None:
        """Forgets the last answer: another process runs now."""
        self._life += 1
        self._last = None

    def stop(self) -> None:
        """Ends the watch."""
        self._over.set()

    def _ask(self) -> None:
        while not self._over.wait(self._probe_seconds):
            life = self._life
            if self._answers() and life == self._life:
                self._last = self._now()
