"""`make bench-producers`: measures the cost of publishing through the emitter, compared with the bare clients."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.producers.results import ProducerResults
from bench.producers.table import show
from bench.producers.task import PUBLISHERS, PublishOutcome, PublishTask
from bench.servers import PARTITIONS, Servers, running_servers
from bench.tables import WIDTH
from runtime.settings import KafkaSettings
from runtime.topics import create_topics

DIRECTORY = Path(".local/bench")
PREFIX = "producers-"
LONGEST_SECONDS = 300.0
QUICK_SHARE = 10

app = typer.Typer(add_completion=False)


@app.command()
def measure(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Of each turn, as fast as it goes.")] = 50_000,
    rate: Annotated[float, typer.Option(min=1, help="Events per second, where each call is timed.")] = 1000.0,
    seconds: Annotated[float, typer.Option(min=1, help="Of each turn at that rate.")] = 5.0,
    turns: Annotated[int, typer.Option(min=1, help="Of every publisher.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of every size, one turn: does it run?")] = False,
    directory: Annotated[Path, typer.Option(help="Where the results are written.")] = DIRECTORY,
) -> None:
    """Measure on a Kafka of its own; print the results, and write them to .local/bench/."""
    if quick:
        events, seconds, turns = events // QUICK_SHARE, seconds / QUICK_SHARE, 1
    console = Console(width=max(WIDTH, Console().width))

    def say(text: str) -> None:
        console.print(f"[dim]{text}")

    say("starting Kafka")
    with running_servers(directory.resolve()) as servers:
        create_topics(KafkaSettings(kafka_bootstrap_servers=servers.kafka, topic_prefix=PREFIX, partitions=PARTITIONS))
        turns_of = _turns(servers, turns, say)
        results = ProducerResults(turns_of(events, 0), turns_of(round(rate * seconds), rate))
    show(results, rate, console)
    moment = datetime.now(UTC)
    path = directory / f"producers-{moment:%Y%m%d-%H%M%S}.json"
    document = {"at": moment.isoformat(timespec="seconds"), "rate": rate, **results.document()}
    path.write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"written: {path}")


def _turns(
    servers: Servers, turns: int, say: Callable[[str], None]
) -> Callable[[int, float], dict[str, list[PublishOutcome]]]:
    """Returns a function that runs events at a rate: all publishers have one turn, then all the next."""
    seeds = count(1)

    def run(events: int, rate: float) -> dict[str, list[PublishOutcome]]:
        found: dict[str, list[PublishOutcome]] = {name: [] for name in PUBLISHERS}
        for turn in range(turns):
            say(f"{turn + 1}/{turns}: {events:,} events {f'at {rate:,.0f}/s' if rate else 'as fast as they go'}")
            for name, outcomes in found.items():
                spool = str(servers.directory / "spool")
                outcomes.append(_child(PublishTask(name, servers.kafka, PREFIX, spool, events, rate, next(seeds))))
        return found

    return run


def _child(task: PublishTask) -> PublishOutcome:
    command = [sys.executable, "-m", "bench.producers.publish", task.text()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    if ran.returncode:
        raise RuntimeError(f"{task.publisher} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
    return PublishOutcome.parse(ran.stdout)


if __name__ == "__main__":
    app()
