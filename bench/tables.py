"""The tables of all benchmarks."""

from collections.abc import Sequence

from rich.table import Table

from bench.results import Target

WIDTH = 110


def new_table(title: str, *columns: str) -> Table:
    """Returns an empty table; the first column is text, the others are numbers."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table


def targets_table(targets: Sequence[Target]) -> Table:
    """Returns the table of targets, with measured values."""
    table = new_table("Targets", "", "measured", "")
    for target in targets:
        table.add_row(target.text, f"{target.measured:,.2f}", "met" if target.met else "[bold red]not met")
    return table
