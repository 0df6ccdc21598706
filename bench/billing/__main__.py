"""`make bench-billing`: checks that Stripe gets exactly the counted units in spite of faults, and measures the rate."""

from pathlib import Path
from typing import Annotated

import typer

from bench.billing import exactness, throughput
from bench.billing.exactness import Exactness
from bench.billing.results import BillingResults
from bench.billing.table import show
from bench.billing.throughput import NotMeasuredError, Throughput
from bench.billing.world import new_world
from bench.report import new_console, progress_on, write_results
from bench.servers import Servers, running_servers
from metering.meters import CATALOGUE

DIRECTORY = Path(".local/bench")
PARTS = ("exactness", "single", "stream")
HOURS = {"single": 1, "stream": 3}  # rows of each account-meter
QUICK_SHARE = 20

app = typer.Typer(add_completion=False)


@app.command()
def measure(  # noqa: PLR0913 - the options
    *,
    units: Annotated[int, typer.Option(min=1, help="Counted and billed under faults.")] = 1_000_000,
    account_meters: Annotated[int, typer.Option(min=6, help="That they are spread over; six to an account.")] = 20_000,
    kill_every: Annotated[float, typer.Option(min=1, help="Seconds from one kill -9 of a worker to the next.")] = 7.0,
    seed: Annotated[int, typer.Option(help="Makes the load, the faults, and who is killed.")] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Rows/s the worker may send; 0: as the double takes them.")] = 0.0,
    quick: Annotated[bool, typer.Option("--quick", help="A twentieth of every size: does it run?")] = False,
    part: Annotated[list[str], typer.Option(help=f"Of {', '.join(PARTS)}; again for more.")] = list(PARTS),  # noqa: B006
    directory: Annotated[Path, typer.Option(help="Where the results are written.")] = DIRECTORY,
) -> None:
    """Measure on a Kafka, a Redis and Stripe doubles of its own; print the results, and write them to .local/bench/."""
    if quick:
        units, account_meters = units // QUICK_SHARE, max(len(CATALOGUE), account_meters // QUICK_SHARE)
    accounts = -(-account_meters // len(CATALOGUE))
    console = new_console()
    say = progress_on(console)

    found: Exactness | None = None
    rates: list[Throughput] = []
    skipped: dict[str, str] = {}

    def bill_fast(servers: Servers, transport: str) -> None:
        with new_world(servers, transport) as world:
            world.double.open_stream()
            world.add_accounts(accounts)
            try:
                rates.append(throughput.measure(world, transport, HOURS[transport], rate, say))
            except NotMeasuredError as error:
                skipped[transport] = str(error)

    say("starting Kafka and Redis")
    with running_servers(directory.resolve()) as servers:
        if "exactness" in part:
            with new_world(servers, "exactness") as world:
                say(f"making {accounts:,} customers")
                world.add_accounts(accounts)
                found = exactness.measure(world, units, kill_every, seed, say)
        for transport in HOURS:
            if transport in part:
                bill_fast(servers, transport)
    results = BillingResults(found, rates, skipped)
    show(results, console)
    console.print(f"written: {write_results(directory, 'billing', results.document())}")


if __name__ == "__main__":
    app()
