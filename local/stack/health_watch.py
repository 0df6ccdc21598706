"""Whether services that run still answer: a process that is there, but frozen or stuck, is as bad as one that ended."""

from collections.abc import Callable
from threading import Event, Thread

PROBE_SECONDS = 5.0


class HealthWatch:
    """Asks one service again and again, in a thread of its own: one that hangs answers late or never.

    It is patient with a service that has not answered since it was started: that is the boot's business.
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
        """How long ago the running process answered last; 0 before its first answer."""
        last = self._last
        return 0.0 if last is None else self._now() - last

    def started_again(self) -> None:
        """Another process runs now: what the last one answered says nothing about it."""
        self._life += 1
        self._last = None

    def stop(self) -> None:
        """Asks no more."""
        self._over.set()

    def _ask(self) -> None:
        while not self._over.wait(self._probe_seconds):
            life = self._life
            if self._answers() and life == self._life:
                self._last = self._now()
