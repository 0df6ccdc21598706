"""What a contestant is told on its command line, and what it answers on its standard output: a line of JSON each."""

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
    """`events` records in `seconds` on the wall, with `cpu_seconds` of the contestant's own process."""

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
    """The task of this process."""
    return Task(**json.loads(sys.argv[-1]))


class Stopwatch:
    """Runs from the first record in hand to the last one done: connecting and joining a group are not the question."""

    def __init__(self) -> None:
        self._wall = 0.0
        self._cpu = 0.0
        self._done = 0

    def start(self) -> None:
        """The first record is in hand; later calls do nothing."""
        if not self._wall:
            self._wall, self._cpu = time.perf_counter(), time.process_time()

    def add(self, events: int) -> int:
        """So many more are done; gives all that are."""
        self._done += events
        return self._done

    def answer(self) -> None:
        """Prints the outcome."""
        outcome = TaskOutcome(self._done, time.perf_counter() - self._wall, time.process_time() - self._cpu)
        print(json.dumps(asdict(outcome)), flush=True)  # noqa: T201 - the answer
