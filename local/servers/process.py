"""A child process that is a server: start it, wait until it answers, watch it, stop it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.servers import tether
from local.servers.deadline import wait_until
from local.servers.log_files import tail

START_SECONDS = 60.0
STOP_SECONDS = 15.0
TAIL_LINES = 20


class ServerError(RuntimeError):
    """A server that did not start, or ended while it was waited for; the message carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: `env` None means this process's environment, `cwd` None its directory.

    Standard output and standard error are appended to the file `log`.
    """

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None


def _always() -> bool:
    return True


class ServerProcess:
    """One server, started again as often as needed. Not for use by several threads at once.

    The child leads its own session: Ctrl-C in a terminal reaches only this process, which decides what to stop and
    in which order. On Linux the child is killed when this process dies, provided the main thread started it: the
    kernel takes the end of the *thread* that forked for the parent's end, and other threads end before the process.
    """

    def __init__(self, name: str, command: Command, ready: Callable[[], bool] = _always) -> None:
        """`ready` says whether the running server answers; it may be slow (seconds) but must return."""
        self.name = name
        self.command = command
        self._ready = ready
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0  # of this life: what earlier ones wrote explains nothing about it

    @property
    def pid(self) -> int | None:
        """The process id, also its session's and group's; None before the first start."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        """Whether the process exists; whether it answers is what `wait_ready` finds out."""
        return self._child is not None and self._child.poll() is None

    def poll(self) -> int | None:
        """The exit code (negative: the signal that ended it), None while running or before the first start."""
        return self._child.poll() if self._child else None

    def start(self, timeout: float = START_SECONDS) -> None:
        """Spawn and wait until the server answers; see `wait_ready`."""
        self.spawn()
        self.wait_ready(timeout)

    def spawn(self) -> None:
        """Start the process and return at once. Raises `ServerError` if it runs already."""
        if self.running:
            raise ServerError(f"{self.name} is running already, as process {self.pid}")
        self.command.log.parent.mkdir(parents=True, exist_ok=True)
        with self.command.log.open("ab") as log:
            self._log_start = log.tell()
            self._child = subprocess.Popen(
                self._tethered(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.command.env,
                cwd=self.command.cwd,
                start_new_session=True,
            )

    def wait_ready(self, timeout: float = START_SECONDS) -> None:
        """Wait until the server answers.

        Raises `ServerError` when the process ends first, or when `timeout` seconds pass (it is killed then).
        """
        wait_until(lambda: not self.running or self._ready(), timeout)
        if not self.running:
            raise ServerError(f"{self.name} ended with exit code {self.poll()} while starting{self._log_end()}")
        if not self._ready():
            self.kill()
            raise ServerError(f"{self.name} did not answer within {timeout:g} s{self._log_end()}")

    def stop(self, timeout: float = STOP_SECONDS) -> int | None:
        """Ask the server to end (SIGTERM), and kill its process group after `timeout` seconds.

        Returns the exit code, None if it was never started. Stopping a stopped server does nothing.
        """
        if self._child and self.running:
            self._child.terminate()
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.poll()

    def kill(self) -> None:
        """End the server's whole process group at once (SIGKILL) and wait until the process is gone."""
        if self._child and self.running:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def answers(self) -> bool:
        """Whether a server answers now; may take seconds, and, unlike the rest, be asked by any thread."""
        return self._ready()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines that the server has written since it was last started."""
        return "\n".join(tail(self.command.log, lines, self._log_start))

    def _tethered(self) -> list[str]:
        if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
            return list(self.command.argv)
        return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.command.argv]

    def _log_end(self) -> str:
        return f"; the end of {self.command.log}:\n{self.tail()}"
