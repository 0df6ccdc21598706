"""`make bench-producers`: measures the cost of publishing through the emitter, compared with the bare clients."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from bench.producers.results import ProducerResults
from bench.producers.table import show
from bench.producers.task import PUBLISHERS, PublishOutcome, PublishTask
from bench.report import new_console, progress_on, write_results
from bench.servers import PARTITIONS, Servers, running_servers
from bench.task import run_child
from runtime.settings import KafkaSettings
from runtime.topics import create_topics

DIRECTORY = Path(".local/bench")
PREFIX = "producers-"
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
    console = new_console()
    say = progress_on(console)

    say("starting Kafka")
    with running_servers(directory.resolve()) as servers:
        create_topics(KafkaSettings(kafka_bootstrap_servers=servers.kafka, topic_prefix=PREFIX, partitions=PARTITIONS))
        turns_of = _turns(servers, turns, say)
        results = ProducerResults(turns_of(events, 0), turns_of(round(rate * seconds), rate))
    show(results, rate, console)
    path = write_results(directory, "producers", {"rate": rate, **results.document()})
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
                task = PublishTask(name, servers.kafka, PREFIX, spool, events, rate, next(seeds))
                outcomes.append(PublishOutcome.parse(run_child("bench.producers.publish", task)))
        return found

    return run


if __name__ == "__main__":
    app()
