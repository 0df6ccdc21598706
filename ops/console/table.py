"""Prints tables: drawn on a terminal, plain columns in a pipe."""

import sys
from collections.abc import Sequence

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.console.plain_table import columns
from ops.console.safe_text import visible


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Prints rows below a header. On a terminal, the columns named in `numbers` are aligned to the right."""
    if not sys.stdout.isatty():
        for line in columns([header, *rows]):
            typer.echo(line)
        return
    table = Table(box=SIMPLE_HEAD)
    for name in header:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    Console().print(table)
