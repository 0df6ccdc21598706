"""Prints an explanation as text, or returns it as JSON."""

from itertools import islice
from typing import Any

import typer

from metering.bucket import start_of
from metering.rfc3339 import from_unix
from ops.console.plain_table import columns
from ops.console.safe_text import visible
from ops.console.table import print_table
from ops.explain.bucket_walk import CountedEvent
from ops.explain.explaining import Explanation

TEXT_WIDTH = 60  # characters of an id or source


def print_explanation(explanation: Explanation, most_events: int) -> None:
    """Prints the row, its entries in the push log, and its last events."""
    found, row = explanation.story.found, explanation.story.found.row
    facts = [
        ("identifier", found.identifier),
        ("account", row.account),
        ("customer", row.customer),
        ("meter", row.meter),
        ("bucket", f"{from_unix(start_of(row.hour))}, units {row.start} to {row.end}"),
        ("value", str(row.value)),
        ("timestamp", from_unix(row.timestamp) + (" (carried forward)" if row.carried else "")),
    ]
    for line in columns(facts):
        typer.echo(line)
    typer.echo("\npush log:")
    print_table(
        ("OFFSET", "TIME", "IDENTIFIER", "WHAT"),
        [
            (f"{entry.partition}/{entry.offset}", _time(entry.append_ms), entry.identifier[:12], visible(entry.what))
            for entry in explanation.story.entries
        ],
    )
    typer.echo("\nusage log:")
    _print_events(explanation, most_events)
    if explanation.lacking:
        typer.echo(f"NOT EXPLAINED: {visible(explanation.lacking)}")
    else:
        typer.echo(f"events: {len(explanation.events)}, units: {explanation.units}: all of the row's {row.value}")


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Returns the same as JSON, with all events. `append_ms` is in Unix milliseconds."""
    found = explanation.story.found
    return {
        "identifier": found.identifier,
        "shard": found.partition,
        "row": found.row.model_dump(),
        "value": found.row.value,
        "usage_fence": explanation.story.usage_fence,
        "records": [entry._asdict() for entry in explanation.story.entries],
        "events": [_event_json(event) for event in explanation.events],
        "units": explanation.units,
        "explained": not explanation.lacking,
        "lacking": explanation.lacking or None,
    }


def _print_events(explanation: Explanation, most: int) -> None:
    left_out = max(0, len(explanation.events) - most)
    rows = [
        (
            f"{event.partition}/{event.offset}{_copied_from(event)}",
            visible(event.event_id, TEXT_WIDTH),
            visible(event.source, TEXT_WIDTH),
            visible(event.time),
            str(event.quantity),
        )
        for event in islice(explanation.events, left_out, None)
    ]
    if rows:
        print_table(("OFFSET", "ID", "SOURCE", "TIME", "QUANTITY"), rows, numbers=("QUANTITY",))
    if left_out:
        typer.echo(f"earlier events, not shown: {left_out}; --events shows more, --json all")


def _copied_from(event: CountedEvent) -> str:
    return "" if event.origin is None else f" from {event.origin.partition}/{event.origin.offset}"


def _event_json(event: CountedEvent) -> dict[str, Any]:
    return event._asdict() | {"origin": None if event.origin is None else event.origin._asdict()}


def _time(milliseconds: int) -> str:
    return from_unix(milliseconds // 1000)
