"""The results on a terminal."""

from statistics import median

from rich.console import Console
from rich.table import Table

from bench.contest import BARE, FAUST, OURS, QUIX, RAW, REFOLD, TAKE
from bench.results import CountingResults

TITLES = {
    RAW: "aiokafka getmany, doing nothing",
    BARE: "the full job on bare aiokafka",
    OURS: "the aggregator",
    REFOLD: "the aggregator after a flush of Redis",
    TAKE: "Faust with `take`",
    FAUST: "Faust, event by event",
    QUIX: "Quix Streams, event by event",
}


def show(results: CountingResults, console: Console) -> None:
    """Prints every table that there is something for."""
    if results.outcomes:
        console.print(_rates(results))
    if results.freshness:
        console.print(_freshness(results))
    if results.memory:
        console.print(_memory(results))
    console.print(_targets(results))


def _rates(results: CountingResults) -> Table:
    table = _table("Counting", "", "events/s", "min", "max", "CPU µs/event", "of the aggregator")
    for name, rate in results.rates().items():
        cpu = median(1e6 * each.cpu_seconds / each.events for each in results.outcomes[name])
        share = "" if name == OURS else f"{100 / results.ratio(name).median:.1f} %"
        table.add_row(TITLES[name], *(f"{value:,.0f}" for value in rate), f"{cpu:.1f}", share)
    return table


def _freshness(results: CountingResults) -> Table:
    table = _table(
        "From sent to counted", "events/s", "events", "p50 ms", "p99 ms", "max ms", "of a core", "of the machine"
    )
    for each in results.freshness:
        times = (f"{value:.1f}" for value in (each.p50_ms, each.p99_ms, each.max_ms))
        shares = (f"{100 * share:.0f} %" for share in (each.core_share, each.machine_share))
        table.add_row(f"{each.rate:,.0f}", f"{each.events:,}", *times, *shares)
    return table


def _memory(results: CountingResults) -> Table:
    memory = results.memory
    assert memory is not None  # noqa: S101 - the caller looked
    table = _table("Redis", "", "bytes")
    table.add_row(f"an identity, of {memory.identities:,} in a shard's block", f"{memory.bytes_per_identity:.2f}")
    table.add_row("the same, as INFO saw the server grow", f"{memory.info_bytes_per_identity:.2f}")
    table.add_row("an account's month, 6 meters in every hour", f"{memory.account_month_all:,}")
    table.add_row("an account's month, 2 meters in every hour", f"{memory.account_month_two:,}")
    return table


def _targets(results: CountingResults) -> Table:
    table = _table("Targets", "", "measured", "")
    for target in results.targets():
        table.add_row(target.text, f"{target.measured:,.2f}", "met" if target.met else "[bold red]not met")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table
