"""Prints a reconciliation, or returns it as JSON."""

from typing import Any

import typer

from metering.rfc3339 import from_unix
from metering.span import MINUTE_SECONDS
from ops.console.safe_text import visible
from ops.console.table import print_table
from ops.stripe.parked import SHORT
from ops.stripe.reconcile.comparing import Reconciled
from stripe_sync.reconcile.difference import Difference

NUMBERS = ("ACCEPTED", "CARRIED", "STRIPE", "DIFFERENCE")
HEADER = ("CUSTOMER", "METER", "TIME", *NUMBERS, "WHY", "ROWS")


def print_reconciled(found: Reconciled) -> None:
    """Prints the differences with their explanations, then the sum of the unexplained ones: the target is 0."""
    if found.differences:
        print_table(HEADER, [_cells(found, each) for each in found.differences], numbers=NUMBERS)
    for lane, reason in found.silent.items():
        typer.echo(f"customer {visible(lane.customer)}, meter {lane.meter}: not compared: {visible(reason)}")
    scope = found.scope
    typer.echo(
        f"{from_unix(scope.start)} to {from_unix(scope.end)}: {found.accepted} units accepted of {found.lanes} "
        f"customers and meters; differences: {len(found.differences)}, without explanation: {len(found.unexplained)}, "
        f"not compared: {len(found.silent)}"
    )
    typer.echo(f"unexplained difference: {_total(found)}{' (the target is 0)' if found.unexplained else ''}")
    if found.rows:
        typer.echo("a row that Stripe took and has lost: billing stripe park ROW --why TEXT, then retry or reissue")


def reconciled_json(found: Reconciled) -> dict[str, Any]:
    """Returns the same as JSON; times are Unix seconds."""
    return {
        "start": found.scope.start,
        "end": found.scope.end,
        "equal": found.equal,
        "lanes": found.lanes,
        "accepted": found.accepted,
        "unexplained": _total(found),
        "differences": [
            {
                "customer": each.lane.customer,
                "meter": each.lane.meter,
                "start": each.start,
                "seconds": each.seconds,
                "accepted": each.slot.accepted,
                "carried": each.slot.carried,
                "stripe": each.held,
                "difference": each.held - each.slot.accepted,
                "explained": each.explained,
                "why": [str(why) for why in each.explanations],
                "rows": found.rows.get((each.lane, each.start), []),
            }
            for each in found.differences
        ],
        "not_compared": [
            {"customer": lane.customer, "meter": lane.meter, "why": why} for lane, why in found.silent.items()
        ],
    }


def _cells(found: Reconciled, each: Difference) -> tuple[str, ...]:
    when = from_unix(each.start) + ("" if each.seconds == MINUTE_SECONDS else " (elsewhere in the hour)")
    rows = [identifier[:SHORT] for identifier in found.rows.get((each.lane, each.start), [])]
    return (
        visible(each.lane.customer),
        each.lane.meter,
        when,
        str(each.slot.accepted),
        str(each.slot.carried),
        str(each.held),
        f"{each.held - each.slot.accepted:+d}",
        ", ".join(each.explanations),
        " ".join(rows) or "-",
    )


def _total(found: Reconciled) -> int:
    """Sums the absolute differences in units, so that too few here do not cancel too many there."""
    return sum(abs(each.held - each.slot.accepted) for each in found.unexplained)
