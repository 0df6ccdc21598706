"""A child process that is a server: starts it, waits until it answers, stops it."""

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

START_SECONDS = 60.0  # seconds until it must answer
STOP_SECONDS = 15.0  # seconds until it is killed
TAIL_LINES = 20  # lines of its log in an error


class ServerError(RuntimeError):
    """A server did not start, or ended during its start; the message contains the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line. `env` None: this process's environment; `cwd` None: its directory.

    Standard output and standard error are appended to the file `log`.
    """

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None


def _always() -> bool:
    return True


class ServerProcess:
    """One server, which may be started again and again. Not for use by several threads at once.

    The child has its own session: Ctrl-C in a terminal reaches only this process, which stops its servers in order. On
    Linux the kernel kills the child when this process dies, but only if the main thread started it: the kernel reacts
    to the end of the *thread* that forked, and other threads may end before the process.
    """

    def __init__(self, name: str, command: Command, ready: Callable[[], bool] = _always) -> None:
        """`ready` returns whether the running server answers; it may take seconds, but must return."""
        self.name = name
        self.command = command
        self._ready = ready
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0  # byte at which the present run's output begins

    @property
    def pid(self) -> int | None:
        """Returns the process id, which is also that of its session and group; None before the first start."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        """Returns whether the process exists; `wait_ready` waits until it answers."""
        return self._child is not None and self._child.poll() is None

    def poll(self) -> int | None:
        """Returns the exit code (negative: the signal that ended it); None while running or before the first start."""
        return self._child.poll() if self._child else None

    def start(self, timeout: float = START_SECONDS) -> None:
        """Spawns the server and waits until it answers; see `wait_ready`."""
        self.spawn()
        self.wait_ready(timeout)

    def spawn(self) -> None:
        """Starts the process and returns at once. Raises `ServerError` if it runs already."""
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
        """Waits until the server answers.

        Raises:
            ServerError: the process ended first; or it did not answer within `timeout` seconds, and was killed.
        """
        wait_until(lambda: not self.running or self._ready(), timeout)
        if not self.running:
            raise ServerError(f"{self.name} ended with exit code {self.poll()} while starting{self._log_end()}")
        if not self._ready():
            self.kill()
            raise ServerError(f"{self.name} did not answer within {timeout:g} s{self._log_end()}")

    def stop(self, timeout: float = STOP_SECONDS) -> int | None:
        """Sends SIGTERM, and kills the server's process group if it still runs after `timeout` seconds.

        Returns the exit code; None if it was never started. Stopping a stopped server does nothing.
        """
        if self._child and self.running:
            self._child.terminate()
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.poll()

    def kill(self) -> None:
        """Kills the server's whole process group (SIGKILL), and waits until the process is gone."""
        if self._child and self.running:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def answers(self) -> bool:
        """Returns whether the server answers now; may take seconds. Only this method is safe in any thread."""
        return self._ready()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Returns the last lines that the server has written since its last start."""
        return "\n".join(tail(self.command.log, lines, self._log_start))

    def _tethered(self) -> list[str]:
        if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
            return list(self.command.argv)
        return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.command.argv]

    def _log_end(self) -> str:
        return f"; the end of {self.command.log}:\n{self.tail()}"
