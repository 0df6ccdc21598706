"""Prints the plan of an import."""

import json

import typer

from metering.account import Account
from metering.rfc3339 import from_unix
from ops.accounts.change import anchor_advice
from ops.accounts.plan import ImportPlan
from ops.console.safe_text import visible
from ops.console.table import print_table

HEADER = ("ACCOUNT", "STRIPE CUSTOMER", "ANCHOR", "SUBSCRIPTION START")


def print_plan(plan: ImportPlan, *, as_json: bool) -> None:
    """Prints the changes, the entries held back, and warnings about anchors."""
    if as_json:
        typer.echo(_json(plan))
        return
    if plan.changes:
        print_table(HEADER, [(each.account, *_facts(each.before, each.after)) for each in plan.changes])
    if plan.held_back:
        print_table(("HELD BACK", "WHY"), [tuple(map(visible, each)) for each in plan.held_back])
    for each in plan.changes:
        advice = anchor_advice(each.after.anchor)
        if advice:
            typer.echo(f"warning: {visible(each.account)}: {advice}", err=True)
    typer.echo(f"{len(plan.changes)} to change, {plan.same} as Stripe says, {len(plan.held_back)} held back")


def time_text(seconds: int | None) -> str:
    """Returns Unix seconds as text for a table."""
    return "-" if seconds is None else from_unix(seconds)


def _json(plan: ImportPlan) -> str:
    changes = [
        {
            "account": each.account,
            "before": None if each.before is None else each.before.model_dump(),
            "after": each.after.model_dump(),
        }
        for each in plan.changes
    ]
    held_back = [each._asdict() for each in plan.held_back]
    return json.dumps({"changes": changes, "held_back": held_back, "same": plan.same}, indent=2)


def _facts(before: Account | None, after: Account) -> list[str]:
    """Returns the new value of every field, with the old value before it where that was different."""
    old, new = _texts(before or Account()), _texts(after)
    return [now if was in {"-", now} else f"{was} -> {now}" for was, now in zip(old, new, strict=True)]


def _texts(facts: Account) -> tuple[str, str, str]:
    return facts.customer or "-", time_text(facts.anchor), time_text(facts.subscription_start)
