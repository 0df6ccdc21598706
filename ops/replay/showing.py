"""Shows the progress of a replay on standard error: a bar on a terminal, elsewhere a line every few seconds."""

import sys
import time
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from metering.reject import Reject
from ops.console.safe_text import visible
from ops.replay.progress import Progress

LINE_SECONDS = 5.0  # seconds between two lines
MOST_REJECTS_SHOWN = 20  # rejects


class ReplayDisplay:
    """Shows the progress, and the first events that would be rejected."""

    def __init__(self, progress: Progress) -> None:
        self._total = progress.remaining
        self._rejects = 0
        self._plain = not sys.stderr.isatty()
        self._last_line = time.monotonic()
        self._bar = Bar(
            TextColumn("replay"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[sent]} sent"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=self._plain,
        )
        self._task = self._bar.add_task("replay", total=self._total, sent=progress.sent)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def on_progress(self, progress: Progress) -> None:
        """Shows the progress after a batch was acknowledged."""
        done = self._total - progress.remaining
        self._bar.update(self._task, completed=done, sent=progress.sent)
        if self._plain and time.monotonic() - self._last_line > LINE_SECONDS:
            self._last_line = time.monotonic()
            typer.echo(f"{done} of {self._total} read, {progress.sent} sent", err=True)

    def on_rejected(self, place: str, reject: Reject) -> None:
        """Shows an event that would be rejected."""
        self._rejects += 1
        if self._rejects <= MOST_REJECTS_SHOWN:
            self._bar.console.print(
                f"{place}: {reject.reason}: {visible(reject.detail, 300)}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        elif self._rejects == MOST_REJECTS_SHOWN + 1:
            self._bar.console.print("... and more: --dry-run counts them by reason", markup=False, highlight=False)
