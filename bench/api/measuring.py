"""Runs the turns: the servers alternate, first as fast as they answer, then at a steady rate."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from redis import Redis

from bench.api.generate import LoadResult, LoadTask
from bench.api.serving import Serving, Used, used

USAGE, CONSTANT = "usage", "constant"
PATHS = {USAGE: "/api/billing/usage", CONSTANT: "/constant"}
OPEN_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Turn:
    """The measurement of one turn, and the resources that it used."""

    measured: LoadResult
    used: Used


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, the keys' file and the size of a turn."""

    api: Serving
    constant: Serving
    redis: Redis
    keys: Path
    connections: int
    seconds: float

    def first(self) -> Turn:
        """Measures the first request of every key, one after the other."""
        return self._turn(USAGE, replace(self._task(USAGE), connections=1, seconds=0))

    def alone(self) -> Turn:
        """Measures one request at a time, with keys that were used before."""
        return self._turn(USAGE, replace(self._task(USAGE), connections=1))

    def closed(self, turns: int, say: Callable[[str], None]) -> dict[str, list[Turn]]:
        """Measures as fast as the servers answer: all servers have one turn, then all the next."""
        found: dict[str, list[Turn]] = {name: [] for name in PATHS}
        for number in range(turns):
            for name, each in found.items():
                each.append(self._turn(name, replace(self._task(name), seed=number)))
            say(f"turn {number + 1} of {turns}: {found[USAGE][-1].measured.rate:,.0f} requests/s of the API")
        return found

    def open(self, name: str, rate: float) -> Turn:
        """Measures at a steady rate."""
        return self._turn(name, replace(self._task(name), connections=OPEN_CONNECTIONS, rate=rate))

    def _task(self, name: str) -> LoadTask:
        url = self._serving(name).url
        return LoadTask(url, PATHS[name], str(self.keys), self.connections, self.seconds)

    def _serving(self, name: str) -> Serving:
        return self.api if name == USAGE else self.constant

    def _turn(self, name: str, task: LoadTask) -> Turn:
        before = used(self._serving(name), self.redis)
        command = [sys.executable, "-m", "bench.api.generate", task.text()]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return Turn(LoadResult(**json.loads(ran.stdout)), used(self._serving(name), self.redis).since(before))
