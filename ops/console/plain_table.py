"""Columns for people, in plain text: nothing is cut, so that it can be copied and searched."""

from collections.abc import Sequence

from ops.console.safe_text import visible


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line per row, the cells below each other, whatever others wrote into them."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in shown) for at in range(len(shown[0]))] if shown else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
