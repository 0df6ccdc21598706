"""Sends requests, as fast as the server answers or at a steady rate: `python -m bench.api.generate TASK`."""

import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from bench.keep_alive import Connection, connect, get


@dataclass(frozen=True, slots=True)
class LoadTask:
    """The requests to send.

    Attributes:
        url: the server's address.
        path: the endpoint's path.
        keys: a file with one API key per line; a request takes a random one.
        connections: the most requests in progress at once.
        seconds: the duration; 0: every key once, in order.
        rate: requests per second, even if earlier ones are not answered yet; 0: as fast as the server answers.
        seed: the seed for the choice of keys.
    """

    url: str
    path: str
    keys: str
    connections: int
    seconds: float
    rate: float = 0.0
    seed: int = 1

    def text(self) -> str:
        """Returns the task as a command-line argument."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The measurement: `seconds` from the first request to the last answer; latencies in milliseconds.

    A latency counts from the time at which the request was due. `late_ms` is the p99 delay of the generator itself;
    `core_share` is its share of a core.
    """

    answers: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    late_ms: float
    core_share: float

    @property
    def rate(self) -> float:
        """Returns the answers per second."""
        return self.answers / self.seconds


class Generator:
    """Sends requests, and records the times (intended, sent, answered) of all."""

    def __init__(self, task: LoadTask) -> None:
        self._task = task
        keys = Path(task.keys).read_text().split()
        self._requests = [get(task.path, key) for key in keys]
        self._rng = random.Random(task.seed)  # noqa: S311 - a load, not a secret
        self.times: list[tuple[float, float, float]] = []

    async def run(self) -> None:
        """Runs until the task is done."""
        task = self._task
        connections = [await connect(task.url) for _ in range(task.connections)]
        if task.rate:
            await self._open_loop(connections)
        else:
            requests = self._any() if task.seconds else iter(self._requests)
            until = time.monotonic() + task.seconds if task.seconds else float("inf")
            await asyncio.gather(*(self._closed_loop(each, requests, until) for each in connections))
        for each in connections:
            each.close()

    def _any(self) -> Iterator[bytes]:
        choices, number = self._requests, len(self._requests)
        return (choices[int(self._rng.random() * number)] for _ in count())

    async def _closed_loop(self, connection: Connection, requests: Iterator[bytes], until: float) -> None:
        for request in requests:
            now = time.monotonic()
            if now >= until:
                return
            await self._ask(connection, request, now)

    async def _open_loop(self, connections: list[Connection]) -> None:
        """Sends requests at fixed times. A request without a free connection waits; its latency includes the wait."""
        due: asyncio.Queue[float | None] = asyncio.Queue()
        requests = self._any()
        serving = [asyncio.create_task(self._serve(each, due, requests)) for each in connections]
        start = time.monotonic()
        for number in range(round(self._task.rate * self._task.seconds)):
            intended = start + number / self._task.rate
            if (early := intended - time.monotonic()) > 0:
                await asyncio.sleep(early)
            due.put_nowait(intended)
        for _ in connections:
            due.put_nowait(None)
        await asyncio.gather(*serving)

    async def _serve(
        self, connection: Connection, due: "asyncio.Queue[float | None]", requests: Iterator[bytes]
    ) -> None:
        while (intended := await due.get()) is not None:
            await self._ask(connection, next(requests), intended)

    async def _ask(self, connection: Connection, request: bytes, intended: float) -> None:
        sent = time.monotonic()
        answer = await connection.ask(request)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {answer.body.decode(errors='replace')}")
        self.times.append((intended, sent, answer.at))


def summary(times: list[tuple[float, float, float]], cpu: float) -> LoadResult:
    """Summarises the times (intended, sent, answered) of at least one request, and the generator's processor time."""
    latencies = sorted(answered - intended for intended, _, answered in times)
    late = sorted(sent - intended for intended, sent, _ in times)
    seconds = max(answered for _, _, answered in times) - times[0][0]
    p50, p99, most = (1000 * _at(latencies, share) for share in (0.5, 0.99, 1.0))
    return LoadResult(len(times), seconds, p50, p99, most, 1000 * _at(late, 0.99), cpu / seconds)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main() -> None:
    """Runs the task of the command line, and prints the measurement."""
    generator = Generator(LoadTask(**json.loads(sys.argv[1])))
    gc.disable()  # its pauses would look like the server's
    before = time.process_time()
    asyncio.run(generator.run())
    print(json.dumps(asdict(summary(generator.times, time.process_time() - before))))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
