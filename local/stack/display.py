"""Shows the progress of a stack: plain lines, and on a terminal a status line below them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol, TextIO

from rich.console import Console

STATUS_SECONDS = 2.0  # seconds between two status lines in plain output, where all of them stay


class Display(Protocol):
    """Shows progress. The output is flushed when a call returns."""

    def line(self, text: str) -> None:
        """Shows a line that stays."""
        ...

    def status(self, text: str) -> None:
        """Shows a status in place of the last one; an empty text removes it."""
        ...


class PlainDisplay:
    """Writes lines to a file or a pipe; a status becomes a line too, but not too often."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._status = ""
        self._next = time.monotonic() + STATUS_SECONDS

    def line(self, text: str) -> None:
        """Writes a line."""
        with _listened_to(self._out):
            self._out.write(text + "\n")
            self._out.flush()

    def status(self, text: str) -> None:
        """Writes a status as a line if it has changed, and the last one was written some time ago."""
        if text and text != self._status and time.monotonic() >= self._next:
            self._status, self._next = text, time.monotonic() + STATUS_SECONDS
            self.line(text)


class TerminalDisplay:
    """Prints lines, with a spinner and the status below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = console.status("")
        self._spinning = False

    def line(self, text: str) -> None:
        """Prints above the spinner, without wrapping, so that a person can copy the line."""
        with _listened_to(self._console.file):
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def status(self, text: str) -> None:
        """Starts, changes or ends the spinner."""
        with _listened_to(self._console.file):
            if not text:
                self._spinner.stop()
            else:
                self._spinner.update(text)
                if not self._spinning:
                    self._spinner.start()
        self._spinning = bool(text)


def make_display(out: TextIO) -> Display:
    """Returns a display for `out`: plain lines unless it is a terminal."""
    return TerminalDisplay(Console(file=out)) if out.isatty() else PlainDisplay(out)


@contextmanager
def _listened_to(out: IO[str]) -> Iterator[None]:
    """Ignores a closed output from now on: Ctrl-C also ends `tee`, and a terminal can be closed."""
    try:
        yield
    except OSError:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, out.fileno())
        os.close(silence)
