"""`billing stripe`: sets up Stripe's meters, and handles the rows that wait for a person."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from local.stack.settings import settings_of
from metering.meters import BY_NAME, CATALOGUE
from ops.console.arguments import parse_time
from ops.console.errors import OpsError
from ops.console.table import print_table
from ops.console.target import STRIPE_KEY, StackDir, find_env
from ops.logs.open_ledger import ledger_settings, open_ledger
from ops.stripe.desk import desk_settings
from ops.stripe.order_command import ORDERS
from ops.stripe.parked import ParkedRow, parked_rows
from ops.stripe.reconcile.run import make_scope, reconcile_all
from ops.stripe.reconcile.text import print_reconciled, reconciled_json
from ops.stripe.text import HEADER, as_json, cells
from runtime.exit_codes import DONE, NEEDS_A_PERSON
from runtime.settings import StripeSettings
from stripe_sync.stripe_api.client import make_client
from stripe_sync.stripe_api.meters import create_missing, list_meters, meter_faults

app = typer.Typer(no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.callback()
def stripe() -> None:
    """Prepare Stripe, and look after the rows that wait for a person."""


@app.command("setup")
def set_up(directory: StackDir = None) -> None:
    """Create missing meters at Stripe, and check all meters; exit code 1 if one of them is wrong."""
    settings = settings_of(StripeSettings, find_env(directory, os.environ, STRIPE_KEY, "BILLING_STRIPE_API_BASE"))
    if not settings.stripe_api_key.get_secret_value():
        raise OpsError(f"{STRIPE_KEY} is not set: set it to a secret or restricted key of your Stripe account")
    created, faults = asyncio.run(_set_up(settings))
    for meter in CATALOGUE:
        typer.echo(f"{meter.name}: {'created' if meter.name in created else 'was there'}")
    if faults:
        raise OpsError("Stripe's meters are not as they must be: " + "; ".join(faults))


@app.command()
def reconcile(
    *,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="From this hour on; default: 35 days ago.")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Up to this hour; default: now.")] = None,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="Only this Stripe customer.")] = None,
    meter: Annotated[str | None, typer.Option(metavar="NAME", help="Only this meter.")] = None,
    as_json_: AsJson = False,
    directory: StackDir = None,
) -> None:
    """Compare the units that Stripe has accepted with its summaries; exit code 1 for an unexplained difference."""
    if meter is not None and meter not in BY_NAME:
        raise OpsError(f"there is no meter {meter}: {', '.join(BY_NAME)}")
    now = int(time.time())
    scope = make_scope(
        None if start is None else parse_time("--start", start),
        None if end is None else parse_time("--end", end),
        now,
        customer,
        meter,
    )
    found = asyncio.run(reconcile_all(desk_settings(directory, os.environ), scope))
    if as_json_:
        typer.echo(json.dumps(reconciled_json(found), indent=2))
    else:
        print_reconciled(found)
    raise typer.Exit(DONE if found.equal else NEEDS_A_PERSON)


@app.command()
def parked(*, as_json_: AsJson = False, directory: StackDir = None) -> None:
    """Show the rows that wait for a person, the oldest first."""
    rows, now_ms = asyncio.run(_read_parked(directory)), time.time_ns() // 1_000_000
    if as_json_:
        typer.echo(json.dumps([as_json(row, now_ms) for row in rows], indent=2))
        return
    if rows:
        print_table(HEADER, [cells(row, now_ms) for row in rows], numbers=("UNITS",))
    typer.echo(f"{len(rows)} parked, {sum(row.entry.row.value for row in rows)} units")


for name, command in ORDERS.items():
    app.command(name)(command)


async def _read_parked(directory: Path | None) -> list[ParkedRow]:
    settings = ledger_settings(directory)
    async with open_ledger(settings) as ledger:
        return await parked_rows([ledger.shard(number) for number in range(settings.partitions)])


async def _set_up(settings: StripeSettings) -> tuple[list[str], list[str]]:
    client = make_client(settings)
    created = await create_missing(client)
    return created, meter_faults(await list_meters(client))
