"""Prints one letter completely."""

import typer

from metering.counting import LogRecord
from ops.console.plain_table import columns
from ops.console.safe_text import visible
from ops.logs.dead_letters import DeadLetter

MOST_SHOWN = 64 * 1024  # bytes of the value


def print_letter(letter: DeadLetter, record: LogRecord) -> None:
    """Prints the letter's state, key, headers and value. Characters that do not print are escaped."""
    state = "open"
    if letter.mark is not None:
        state = f"{letter.mark.kind} at {letter.mark.at} by {letter.mark.by}"
        state += f": {letter.mark.why}" if letter.mark.why else ""
    rows = [("origin", str(letter.origin)), ("state", state), ("key", _text(record.key))]
    rows += [(name, _text(value)) for name, value in record.headers]
    rows.append(("bytes", str(len(record.value or b"")) if letter.left_out is None else f"left out: {letter.left_out}"))
    for line in columns([(visible(name), visible(value)) for name, value in rows]):
        typer.echo(line)
    value = record.value or b""
    typer.echo()
    typer.echo(visible(value[:MOST_SHOWN]))
    if len(value) > MOST_SHOWN:
        typer.echo(f"and {len(value) - MOST_SHOWN} bytes more: --raw gives all", err=True)


def _text(value: bytes | None) -> str:
    return "-" if value is None else value.decode("utf-8", "backslashreplace")
