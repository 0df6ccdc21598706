"""Columns in plain text. No cell is cut, so that a person can copy and search them."""

from collections.abc import Sequence

from ops.console.safe_text import visible


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns one line per row with aligned cells. Cells are escaped: their text may come from outside."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in shown) for at in range(len(shown[0]))] if shown else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
