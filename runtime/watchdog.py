"""A process that hangs ends itself, so that any supervisor is right: all of them start again what has ended."""

import faulthandler
import logging
import os
from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol

from runtime.exit_codes import CANNOT_GO_ON

SILENT_SECONDS = 180.0  # longer than any work that ends well, and than giving up on a server that is away
AWAKE_SECONDS = 10.0  # a process that was frozen gets so long to go on
TICK_SECONDS = 1.0
STANDARD_ERROR = 2  # its number: a Python object may be what hangs

log = logging.getLogger(__name__)


class Beating(Protocol):
    """A pulse."""

    def silent_seconds(self) -> float:
        """How long nothing went well."""
        ...


class Watchdog:
    """Watches a pulse from a thread of its own, which needs nothing that may hang but Python itself."""

    def __init__(
        self,
        pulse: Beating,
        *,
        silent_seconds: float = SILENT_SECONDS,
        awake_seconds: float = AWAKE_SECONDS,
        tick_seconds: float = TICK_SECONDS,
        leave: Callable[[], None] = lambda: os._exit(CANNOT_GO_ON),
    ) -> None:
        """`leave` is called once the pulse was silent for `silent_seconds`, for the last `awake_seconds` while awake.

        Awake is counted in ticks: a process that was stopped (SIGSTOP, a frozen container) did not tick meanwhile.
        """
        self._pulse = pulse
        self._silent_seconds = silent_seconds
        self._ticks = awake_seconds / tick_seconds
        self._tick_seconds = tick_seconds
        self._leave = leave
        self._over = Event()

    def start(self) -> None:
        """Begins to watch."""
        Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watches no more: the process is about to end in order."""
        self._over.set()

    def _watch(self) -> None:
        silent = 0
        while not self._over.wait(self._tick_seconds):
            silent = silent + 1 if self._pulse.silent_seconds() > self._silent_seconds else 0
            if silent > self._ticks:
                log.critical(
                    "nothing went well for %.0f s: this process hangs and ends itself, to be started again. What its "
                    "threads were doing stands below",
                    self._pulse.silent_seconds(),
                )
                faulthandler.dump_traceback(file=STANDARD_ERROR)
                self._leave()
                return
