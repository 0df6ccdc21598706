"""The producers' results on a terminal."""

from statistics import median

from rich.console import Console
from rich.table import Table

from bench.producers.results import ProducerResults
from bench.producers.task import BARE_C, BARE_PYTHON, EMIT_C, EMIT_PYTHON
from bench.tables import new_table, targets_table

BARE_OF = {EMIT_PYTHON: BARE_PYTHON, EMIT_C: BARE_C}


def show(results: ProducerResults, rate: float, console: Console) -> None:
    """Prints every table."""
    for table in (_fast(results), _steady(results, rate), targets_table(results.targets())):
        console.print(table)


def _fast(results: ProducerResults) -> Table:
    columns = ("CPU µs/event", "over its bare client", "min", "max", "events/s", "over bare kafka-python")
    table = new_table("As fast as they go", "", *columns)
    for name, outcomes in results.fast.items():
        cpu, rate = (median(value) for value in zip(*((each.cpu_us, each.rate) for each in outcomes), strict=True))
        ratio = ["", "", ""]
        if name in BARE_OF:
            ratio = [f"{value:.2f}" for value in results.ratio(name, BARE_OF[name], lambda outcome: outcome.cpu_us)]
        times = results.ratio(name, BARE_PYTHON, lambda outcome: outcome.rate).median
        table.add_row(name, f"{cpu:.1f}", *ratio, f"{rate:,.0f}", f"{times:.2f}")
    return table


def _steady(results: ProducerResults, rate: float) -> Table:
    table = new_table(f"At {rate:,.0f} events/s", "", "median µs", "p99 µs", "CPU µs/event")
    for name, outcomes in results.steady.items():
        values = zip(*((each.median_us, each.p99_us, each.cpu_us) for each in outcomes), strict=True)
        table.add_row(name, *(f"{median(value):,.1f}" for value in values))
    return table
