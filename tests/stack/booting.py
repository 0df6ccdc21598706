"""`billing up` as a subprocess, as it is visible from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from local.stack.probes import ProbeAnswer, ask
from tests.support.eventually import eventually

BOOT_SECONDS = 150.0  # longer than its own deadline: the machine may be busy
BILLING = [sys.executable, "-m", "ops"]


def environment(**env: str) -> dict[str, str]:
    """This process's, without settings of any other system."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")} | env


class RunningStack:
    """A supervisor that was started in a directory."""

    def __init__(self, directory: Path, *options: str, **env: str) -> None:
        self.directory = directory
        self._out = directory.parent / f"{directory.name}.out"
        with self._out.open("ab") as out:
            self.supervisor = subprocess.Popen(
                [*BILLING, "up", "--dir", str(directory), *options],
                env=environment(**env),
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """The output of all supervisors of this directory."""
        return self._out.read_text()

    @property
    def described(self) -> dict[str, Any]:
        """stack.json, as it is now."""
        return json.loads((self.directory / "stack.json").read_text())

    @property
    def env(self) -> dict[str, str]:
        """The settings of its clients."""
        return self.described["env"]

    def wait(self) -> None:
        """Until everything answers."""

        def over() -> bool:
            return self.supervisor.poll() is not None or (self.directory / "stack.json").exists()

        try:
            eventually(over, BOOT_SECONDS, "the stack")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from error
        assert self.supervisor.poll() is None, self.output

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {process["name"]: process["pid"] for process in self.described["processes"]}

    def children(self) -> list[psutil.Process]:
        """Every process that descends from the supervisor."""
        return psutil.Process(self.supervisor.pid).children(recursive=True)

    def billing(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the command against this stack."""
        return subprocess.run(
            [*BILLING, *arguments, "--dir", str(self.directory)],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def said(self, *arguments: str) -> str:
        """The command's output; it must succeed."""
        done = self.billing(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def usage(self, key: str) -> ProbeAnswer:
        """The API's answer to a key."""
        url = f"{self.env['BILLING_API_URL']}/api/billing/usage"
        return ask(url, {"Authorization": f"Bearer {key}"})

    def total(self, key: str, meter: str) -> int | None:
        """One meter's total; None while the API does not answer with totals."""
        answer = self.usage(key)
        return answer.totals()[meter] if answer.status == 200 else None

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Sends a signal and waits for the end. Returns the exit code."""
        if self.supervisor.poll() is None:
            self.supervisor.send_signal(number)
        return self.supervisor.wait(timeout=100)


@contextmanager
def running(directory: Path, *options: str, **env: str) -> Iterator[RunningStack]:
    """A stack that answers, stopped at the end."""
    stack = RunningStack(directory, *options, **env)
    try:
        stack.wait()
        yield stack
    finally:
        stack.stop()
