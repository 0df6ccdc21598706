"""`make bench-counting`: measures the speed of counting, the freshness of counts, and their memory in Redis."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import contest, memory
from bench.contest import BENCH_PYTHON, OURS, Contest
from bench.freshness import Freshness, live
from bench.report import new_console, progress_on, write_results
from bench.results import SLOW_RATE, STEADY_RATE, CountingResults
from bench.servers import Servers, running_servers
from bench.table import TITLES, show
from bench.task import TaskOutcome

DIRECTORY = Path(".local/bench")
PARTS = ("contest", "live", "memory")
QUICK_SHARE = 10  # every size is divided by this

app = typer.Typer(add_completion=False)


@app.command()
def counting(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Events of the topic that is counted.")] = 1_000_000,
    slow_events: Annotated[
        int, typer.Option(min=100, help="Events for contestants that handle single events.")
    ] = 20_000,
    repetitions: Annotated[int, typer.Option(min=1, help="Turns of every contestant.")] = 3,
    identities: Annotated[int, typer.Option(min=1000, help="Identities in one dedupe block.")] = 2_000_000,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds per steady rate.")] = 20.0,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of every size, one turn: does it run?")] = False,
    part: Annotated[list[str], typer.Option(help=f"Of {', '.join(PARTS)}; again for more.")] = list(PARTS),  # noqa: B006
) -> None:
    """Measure on a Kafka and a Redis of its own; print the results, and write them to .local/bench/."""
    if quick:
        events, slow_events, identities = (size // QUICK_SHARE for size in (events, slow_events, identities))
        repetitions, seconds = 1, seconds / 4
    console = new_console()
    say = progress_on(console)

    say("starting Kafka and Redis")
    outcomes: dict[str, list[TaskOutcome]] = {}
    with running_servers(DIRECTORY.resolve()) as servers:
        # First, while the server is new: memory left over from other work would distort INFO's numbers.
        used = memory.measure(servers.redis_url, identities, say) if "memory" in part else None
        if "contest" in part:
            outcomes = Contest(servers, events, slow_events).run(repetitions, say)
        freshness = _freshness(servers, outcomes, seconds, console) if "live" in part else []
    results = CountingResults(outcomes, used, freshness)
    show(results, console)
    for path in _write(results):
        console.print(f"written: {path}")


def _freshness(
    servers: Servers, outcomes: dict[str, list[TaskOutcome]], seconds: float, console: Console
) -> list[Freshness]:
    rates: Sequence[float] = [SLOW_RATE, STEADY_RATE]
    if outcomes:
        rates = [*rates, round(contest.median_rate(outcomes[OURS]) / 2)]
    with live(servers, console.print) as running:
        found = []
        for rate in rates:
            console.print(f"[dim]{rate:,.0f} events/s for {seconds:g} s")
            found.append(running.measure(rate, seconds))
        return found


def _write(results: CountingResults) -> list[Path]:
    path = write_results(DIRECTORY, "counting", {"titles": TITLES, **results.document()})
    if not BENCH_PYTHON.exists():
        return [path]
    plot = path.with_suffix(".png")
    subprocess.run([BENCH_PYTHON, "-m", "bench.plot", path, plot], check=True)
    return [path, plot]


if __name__ == "__main__":
    app()
