"""Limits kafka-python's log while Kafka is away: one line a minute instead of ten a second.

Only lines from the threads of our own connections are held back; other Kafka clients of the host log as before. To see
all lines, set the logger `kafka` to DEBUG.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

EVERY_SECONDS = 60.0  # seconds between two lines


class OnceAMinute(logging.Filter):
    """Passes one warning or error a minute from our threads, with the number of lines held back.

    Args:
        clock: a monotonic clock, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._threads: WeakSet[threading.Thread] = WeakSet()
        self._here = threading.local()
        self._next: float | None = None
        self._held_back = 0

    def hold_back(self, thread: threading.Thread) -> None:
        """Holds back the lines of a thread from now on, as long as it lives."""
        self._threads.add(thread)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Holds back the lines of the current thread within the context."""
        before, self._here.quiet = self._is_here(), True
        try:
            yield
        finally:
            self._here.quiet = before

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the line is written."""
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
"""The filter of this process: several emitters share the limit."""


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back kafka-python's lines in the current thread within the context."""
    for name in list(logging.root.manager.loggerDict):
        if name == "kafka" or name.startswith("kafka."):
            logging.getLogger(name).addFilter(once_a_minute)
    with once_a_minute.here():
        yield
