"""A contestant's task (its command-line argument) and its outcome (its standard output), both as a line of JSON."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

LONGEST_SECONDS = 300.0  # of a child process


@dataclass(frozen=True, slots=True)
class JsonLine:
    """Travels between a benchmark and its child process as a line of JSON."""

    def text(self) -> str:
        """Returns the line."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the last line of a text: a command-line argument, or all that a process has printed."""
        return cls(**json.loads(text.splitlines()[-1]))


@dataclass(frozen=True, slots=True)
class Task(JsonLine):
    """Read `events` records of the topic, from its beginning, and count them under `redis_prefix`."""

    bootstrap: str
    topic: str
    partitions: int
    events: int
    redis_url: str
    redis_prefix: str


@dataclass(frozen=True, slots=True)
class TaskOutcome(JsonLine):
    """`events` records in `seconds` of elapsed time, with `cpu_seconds` of the contestant's own process."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def run_child(module: str, task: JsonLine, python: str | Path = sys.executable) -> str:
    """Runs a module with a task; returns what it printed.

    Raises:
        RuntimeError: it failed.
    """
    ran = subprocess.run(
        [python, "-m", module, task.text()], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{module} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
    return ran.stdout


def told() -> Task:
    """Returns the task of this process."""
    return Task.parse(sys.argv[-1])


class Stopwatch:
    """Measures from the first record to the last; connecting and joining a group are not measured."""

    def __init__(self) -> None:
        self._wall = 0.0
        self._cpu = 0.0
        self._done = 0

    def start(self) -> None:
        """Starts the measurement at the first record; later calls do nothing."""
        if not self._wall:
            self._wall, self._cpu = time.perf_counter(), time.process_time()

    def add(self, events: int) -> int:
        """Adds records that are done. Returns the number of all that are done."""
        self._done += events
        return self._done

    def answer(self) -> None:
        """Prints the outcome."""
        outcome = TaskOutcome(self._done, time.perf_counter() - self._wall, time.process_time() - self._cpu)
        print(outcome.text(), flush=True)  # noqa: T201 - the answer
