"""What kafka-python says while Kafka is away: one line a minute, in place of ten a second.

Only lines from our own connections' threads are held back; a host's other Kafka clients speak as before. Whoever wants
all of them sets the logger `kafka` to DEBUG.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

EVERY_SECONDS = 60.0


class OnceAMinute(logging.Filter):
    """Lets through one warning or error a minute of our threads', and says how many were held back.

    Args:
        clock: seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._threads: WeakSet[threading.Thread] = WeakSet()
        self._here = threading.local()
        self._next: float | None = None
        self._held_back = 0

    def hold_back(self, thread: threading.Thread) -> None:
        """From now on, and as long as it lives, this thread's lines are held back."""
        self._threads.add(thread)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Holds back this thread's lines meanwhile."""
        before, self._here.quiet = self._is_here(), True
        try:
            yield
        finally:
            self._here.quiet = before

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if not self._is_ours() or logging.getLogger("kafka").level == logging.DEBUG:
            return True
        if record.levelno < logging.WARNING:
            return False
        now = self._clock()
        if self._next is not None and now < self._next:
            self._held_back += 1
            return False
        self._next = now + EVERY_SECONDS
        if self._held_back:
            record.msg = f"{record.getMessage()} (and {self._held_back} more lines since the last one)"
            record.args = ()
            self._held_back = 0
        return True

    def _is_ours(self) -> bool:
        return self._is_here() or threading.current_thread() in self._threads

    def _is_here(self) -> bool:
        return getattr(self._here, "quiet", False)


once_a_minute = OnceAMinute()
"""The process's own: several emitters share the minute."""


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back what kafka-python says in this thread meanwhile."""
    for name in list(logging.root.manager.loggerDict):
        if name == "kafka" or name.startswith("kafka."):
            logging.getLogger(name).addFilter(once_a_minute)
    with once_a_minute.here():
        yield
