"""Shows the progress of long work on standard error: a bar on a terminal, elsewhere a line every few seconds."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

QUIET_SECONDS = 2.0  # seconds: shorter work shows no progress
LINE_SECONDS = 5.0  # seconds between two lines


class Bar:
    """Shows the done part of `total` if the work takes longer than two seconds; disappears at the end."""

    def __init__(
        self, what: str, total: int, out: TextIO | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`what` names the work as a participle, such as "published"."""
        self._what = what
        self._total = total
        self._out = sys.stderr if out is None else out
        self._now = now
        self._done = 0
        self._shown = False
        self._next = now() + QUIET_SECONDS
        self._bar = Progress(
            TextColumn(what),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=self._out),
            transient=True,
        )
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._bar.stop()

    def advance(self, count: int = 1) -> None:
        """Adds `count` to the work done."""
        self._done += count
        self._bar.update(self._task, completed=self._done, total=self._total)
        moment = self._now()
        if moment < self._next:
            return
        self._next = moment + LINE_SECONDS
        if self._out.isatty():
            self._shown = True
            self._bar.start()
        else:
            share = 100 * self._done // max(self._total, 1)
            self._out.write(f"{self._what}: {self._done:,} of {self._total:,}, {share} %\n")
            self._out.flush()

    def at(self, done: int, total: int | None = None) -> None:
        """Sets the work done to `done`; `total` replaces the total where it has changed."""
        self._total = self._total if total is None else total
        self.advance(done - self._done)
