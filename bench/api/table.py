"""The API's results on a terminal."""

from statistics import median

from rich.console import Console
from rich.table import Table

from bench.api.measuring import CONSTANT, USAGE, Turn
from bench.api.results import ApiResults, scripts_of, trips_of
from bench.tables import new_table, targets_table

TITLES = {
    USAGE: "GET /api/billing/usage",
    CONSTANT: "a constant from FastAPI",
}


def show(results: ApiResults, console: Console) -> None:
    """Prints every table."""
    for table in (_rates(results), _latencies(results), _trips(results), targets_table(results.targets())):
        console.print(table)


def _rates(results: ApiResults) -> Table:
    columns = ("requests/s", "min", "max", "CPU µs each", "Redis µs", "API over it", "generator")
    table = new_table("As fast as they answer", "", *columns)
    for name, turns in results.closed.items():
        rates = (f"{value:,.0f}" for value in results.rate(name))
        cpu = median(1e6 * turn.used.server / turn.measured.answers for turn in turns)
        redis = (
            f"{median(1e6 * turn.used.redis / turn.measured.answers for turn in turns):.0f}" if name == USAGE else ""
        )
        ratio = "" if name == USAGE else f"{100 * results.ratio().median:.0f} %"
        share = f"{100 * median(turn.measured.core_share for turn in turns):.0f} %"
        table.add_row(TITLES[name], *rates, f"{cpu:.0f}", redis, ratio, share)
    return table


def _latencies(results: ApiResults) -> Table:
    columns = ("requests/s", "p50 ms", "p99 ms", "max ms", "sent late by, p99 ms")
    table = new_table("At half of the API's most", "", *columns)
    for name, turn in results.opened.items():
        found = turn.measured
        times = (f"{value:.1f}" for value in (found.p50_ms, found.p99_ms, found.max_ms, found.late_ms))
        table.add_row(TITLES[name], f"{found.rate:,.0f}", *times)
    return table


def _trips(results: ApiResults) -> Table:
    table = new_table("To Redis, per request", "", "trips", "scripts")
    rows: list[tuple[str, Turn]] = [
        ("a key's first, alone", results.first),
        ("the next ones, alone", results.alone),
        ("many at once", results.closed[USAGE][-1]),
    ]
    for title, turn in rows:
        table.add_row(title, f"{trips_of(turn):.2f}", f"{scripts_of(turn):.2f}")
    return table
