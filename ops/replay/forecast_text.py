"""Prints a forecast, or returns it as JSON."""

from typing import Any

import typer

from ops.console.table import print_table
from ops.replay.forecast import Forecast

MOST_LINES = 50  # accounts and meters


def print_forecast(forecast: Forecast) -> None:
    """Prints new events and duplicates by account and meter, rejects by reason, and the sums."""
    lines = sorted({*forecast.new, *forecast.duplicates})
    if lines:
        rows = [
            (line.account, line.meter, *map(str, (forecast.new[line], forecast.units[line], forecast.duplicates[line])))
            for line in lines[:MOST_LINES]
        ]
        print_table(("ACCOUNT", "METER", "NEW", "UNITS", "DUPLICATES"), rows, numbers=("NEW", "UNITS", "DUPLICATES"))
    if len(lines) > MOST_LINES:
        typer.echo(f"and {len(lines) - MOST_LINES} more accounts and meters: --json shows them all")
    if forecast.rejected:
        rejects = [(reason, str(count)) for reason, count in sorted(forecast.rejected.items())]
        print_table(("WOULD BE REJECTED", "EVENTS"), rejects, numbers=("EVENTS",))
    typer.echo(
        f"new: {forecast.new.total()} ({forecast.units.total()} units), duplicates: {forecast.duplicates.total()}, "
        f"would be rejected: {forecast.rejected.total()}"
    )


def forecast_json(forecast: Forecast) -> dict[str, Any]:
    """Returns the same as JSON, with all lines."""
    return {
        "new": forecast.new.total(),
        "units": forecast.units.total(),
        "duplicates": forecast.duplicates.total(),
        "rejected": dict(sorted(forecast.rejected.items())),
        "lines": [
            {
                "account": line.account,
                "meter": line.meter,
                "new": forecast.new[line],
                "units": forecast.units[line],
                "duplicates": forecast.duplicates[line],
            }
            for line in sorted({*forecast.new, *forecast.duplicates})
        ],
    }
