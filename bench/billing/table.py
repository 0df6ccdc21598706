"""The billing's results on a terminal."""

from rich.console import Console
from rich.table import Table

from bench.billing.exactness import Exactness
from bench.billing.results import BillingResults
from bench.tables import new_table, targets_table


def show(results: BillingResults, console: Console) -> None:
    """Prints every table that there is something for."""
    if results.exactness:
        console.print(_exactness(results.exactness))
    if results.throughput:
        console.print(_throughput(results))
    for part, why in results.skipped.items():
        console.print(f"[bold red]{part} was not measured:[/] {why}")
    console.print(targets_table(results.targets()))


def _exactness(found: Exactness) -> Table:
    table = new_table("Exactness", "", "")
    for title, value in (
        ("units counted", found.units),
        ("units that Stripe has", found.billed_units),
        ("account-meters", found.account_meters),
        ("account-meters that differ", found.differing),
        ("calls to Stripe", found.calls),
        ("replies lost", found.replies_lost),
        ("calls refused with 429", found.calls_limited),
        ("workers killed", found.kills),
        ("rows sent more than once", found.resent),
        ("seconds between the first and the last time, at most", found.furthest_resend),
        ("identifiers with two bodies", found.two_bodies),
        ("calls at once for a customer and meter, at most", found.most_at_once),
        ("rows parked", found.parked),
        ("seconds in all", found.seconds),
    ):
        table.add_row(title, f"{value:,.0f}")
    return table


def _throughput(results: BillingResults) -> Table:
    columns = ("rows", "rows/s", "limit", "the double takes", "of that", "appends per 100", "CPU µs/row")
    table = new_table("Throughput", "", *columns)
    for each in results.throughput:
        rates = (f"{value:,.0f}" for value in (each.rows, each.rows_per_second, each.limit, each.double_takes))
        share = f"{100 * each.rows_per_second / each.double_takes:.0f} %"
        cpu = f"{1e6 * each.worker_cpu_seconds_per_row:.0f}"
        table.add_row(each.transport, *rates, share, f"{each.appends_per_100:.2f}", cpu)
    return table
