"""What a person sees of a stack that boots and runs: plain lines, and on a terminal a status line below them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol, TextIO

from rich.console import Console

STATUS_SECONDS = 2.0  # between two status lines where each one stays


class Display(Protocol):
    """Where progress goes. Everything is out (flushed) when a call returns."""

    def line(self, text: str) -> None:
        """Says something that stays."""
        ...

    def status(self, text: str) -> None:
        """Says what is being waited for: it replaces what was said so before; empty: nothing is."""
        ...


class PlainDisplay:
    """Lines, for a file or a pipe; a status is a line as well, but not too often."""

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
        """Writes a line if it is a new one, and the last one is some time ago."""
        if text and text != self._status and time.monotonic() >= self._next:
            self._status, self._next = text, time.monotonic() + STATUS_SECONDS
            self.line(text)


class TerminalDisplay:
    """Lines, and a spinner with the status below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = console.status("")
        self._spinning = False

    def line(self, text: str) -> None:
        """Prints above the spinner, never wrapped: a line may be there to be copied."""
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
    """Plain lines unless `out` is a terminal."""
    return TerminalDisplay(Console(file=out)) if out.isatty() else PlainDisplay(out)


@contextmanager
def _listened_to(out: IO[str]) -> Iterator[None]:
    """Goes on without a word once nobody listens: Ctrl-C ends `tee` as well, and a terminal can be closed."""
    try:
        yield
    except OSError:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, out.fileno())
        os.close(silence)
