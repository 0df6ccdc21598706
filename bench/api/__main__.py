"""`make bench-api`: measures the API's rate and latency for usage requests, compared with a bare FastAPI endpoint."""

import asyncio
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from api.endpoints.usage import body_of
from bench.api.fill import Filled, fill
from bench.api.measuring import CONSTANT, PATHS, USAGE, Bench
from bench.api.results import ApiResults
from bench.api.serving import Serving, running_api, running_constant
from bench.api.table import TITLES, show
from bench.report import new_console, progress_on, write_results
from local.servers.redis import embedded_redis

DIRECTORY = Path(".local/bench")
SETTLE_SECONDS = 60.0
QUICK_SHARE = 10

app = typer.Typer(add_completion=False)


@app.command()
def measure(
    *,
    accounts: Annotated[int, typer.Option(min=1, help="With a key and a month of hours: 27 KB each.")] = 10_000,
    connections: Annotated[int, typer.Option(min=1, help="Requests at once, as fast as they are answered.")] = 32,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each turn.")] = 10.0,
    turns: Annotated[int, typer.Option(min=1, help="Of everyone, as fast as they answer.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of every size, one turn: does it run?")] = False,
    directory: Annotated[Path, typer.Option(help="Where the results are written.")] = DIRECTORY,
) -> None:
    """Measure on a Redis of its own; print the results, and write them to .local/bench/."""
    if quick:
        accounts, seconds, turns = max(1, accounts // QUICK_SHARE), seconds / QUICK_SHARE, 1
    console = new_console()
    say = progress_on(console)

    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as closing:
        room = Path(closing.enter_context(TemporaryDirectory(dir=directory.resolve())))
        server = embedded_redis(room / "redis")
        closing.callback(server.kill)
        server.start()
        redis = closing.enter_context(SyncRedis.from_url(server.url))
        say(f"filling Redis with {accounts:,} accounts")
        filled = asyncio.run(_fill(server.url, accounts))
        _wait_for_rest(redis)
        keys = room / "keys"
        keys.write_text("\n".join(filled.keys))
        api = closing.enter_context(running_api(server.url, room / "api.log"))
        constant = closing.enter_context(running_constant(room / "constant.log"))
        _check(api, filled)
        bench = Bench(api, constant, redis, keys, connections, seconds)
        say("each key's first request, then one at a time")
        first, alone = bench.first(), bench.alone()
        closed = bench.closed(turns, say)
        rate = max(turn.measured.rate for turn in closed[USAGE]) / 2
        say(f"everyone at {rate:,.0f} requests/s")
        opened = {name: bench.open(name, rate) for name in (USAGE, CONSTANT)}
    results = ApiResults(accounts, first, alone, closed, opened)
    show(results, console)
    path = write_results(directory, "api", {"titles": TITLES, **results.document()})
    console.print(f"written: {path}")


async def _fill(url: str, accounts: int) -> Filled:
    async with Redis.from_url(url) as redis:
        return await fill(redis, accounts, int(time.time()))


def _wait_for_rest(redis: SyncRedis) -> None:
    """Waits until Redis has rewritten its append-only file, which the fill causes."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        state = redis.info("persistence")
        if not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]:
            return
        time.sleep(0.1)


def _check(api: Serving, filled: Filled) -> None:
    """Checks that the API's answers are right before they are measured."""
    for key in (filled.keys[0], filled.keys[-1]):
        request = urllib.request.Request(api.url + PATHS[USAGE], headers={"Authorization": f"Bearer {key}"})  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own
            if (body := answer.read()) != body_of(filled.totals):
                raise RuntimeError(f"the API answers {body!r}, not the totals {filled.totals}")


if __name__ == "__main__":
    app()
