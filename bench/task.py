"""A contestant's task (its command-line argument) and its outcome (its standard output), both as a line of JSON."""

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Task:
    """Read `events` records of the topic, from its beginning, and count them under `redis_prefix`."""

    bootstrap: str
    topic: str
    partitions: int
    events: int
    redis_url: str
    redis_prefix: str

    def text(self) -> str:
        """As a command-line argument."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """`events` records in `seconds` of elapsed time, with `cpu_seconds` of the contestant's own process."""

    events: int
    seconds: float
    cpu_seconds: float

    @classmethod
    def parse(cls, output: str) -> Self:
        """From what a contestant printed last."""
        return cls(**json.loads(output.splitlines()[-1]))

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def told() -> Task:
    """Returns the task of this process."""
    return Task(**json.loads(sys.argv[-1]))


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
        print(json.dumps(asdict(outcome)), flush=True)  # noqa: T201 - the answer
