"""`billing stripe`: what Stripe must have before anything is billed there, and the rows that wait for a person."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from local.stack.settings import settings_of
from metering.meters import BY_NAME, CATALOGUE
from metering.push_log import MAX_WORDS
from ops.account_change import parse_time
from ops.errors import OpsError
from ops.ledger_access import ledger_settings, open_ledger
from ops.running_user import running_user
from ops.shown_table import print_table
from ops.stack_env import STRIPE_KEY, StackDir, find_env
from ops.stripe import ordering
from ops.stripe.desk import Desk, desk_settings, open_desk
from ops.stripe.ordering import Signed
from ops.stripe.parked import HEADER, ParkedRow, as_json, cells, parked_rows
from ops.stripe.reconciled_text import print_reconciled, reconciled_json
from ops.stripe.reconciling_all import make_scope, reconcile_all
from ops.stripe.rules import Change
from runtime.settings import StripeSettings
from stripe_sync.meters import create_missing, list_meters, meter_faults
from stripe_sync.stripe_client import make_client

app = typer.Typer(no_args_is_help=True, add_completion=False)

Identifier = Annotated[str, typer.Argument(help="The row's identifier, or as much of its beginning as tells it apart.")]
Why = Annotated[str, typer.Option(help="For whoever asks later; it is kept in the push log.")]
Who = Annotated[str | None, typer.Option(help="Who orders it; default: you.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.callback()
def stripe() -> None:
    """Prepare Stripe, and look after the rows that wait for a person."""


@app.command("setup")
def set_up(directory: StackDir = None) -> None:
    """Create the meters that Stripe does not have, and check them all; exit code 1 if one is not as it must be."""
    settings = settings_of(StripeSettings, find_env(directory, os.environ, STRIPE_KEY, "BILLING_STRIPE_API_BASE"))
    if not settings.stripe_api_key.get_secret_value():
        raise OpsError(f"{STRIPE_KEY} is not set: set it to a secret or restricted key of your Stripe account")
    created, faults = asyncio.run(_set_up(settings))
    for meter in CATALOGUE:
        typer.echo(f"{meter.name}: {'created' if meter.name in created else 'was there'}")
    if faults:
        raise OpsError("Stripe's meters are not as they must be:\n  " + "\n  ".join(faults))


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
    """Compare what Stripe has accepted with its summaries; exit code 1 if anything differs without an explanation."""
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
    raise typer.Exit(0 if found.equal else 1)


@app.command()
def parked(*, as_json_: AsJson = False, directory: StackDir = None) -> None:
    """Show the rows that wait for a person, those that wait longest first."""
    rows, now_ms = asyncio.run(_read_parked(directory)), time.time_ns() // 1_000_000
    if as_json_:
        typer.echo(json.dumps([as_json(row, now_ms) for row in rows], indent=2))
        return
    if rows:
        print_table(HEADER, [cells(row, now_ms) for row in rows], numbers=("UNITS",))
    typer.echo(f"{len(rows)} parked, {sum(row.entry.row.value for row in rows)} units")


@app.command()
def park(identifier: Identifier, *, why: Why, who: Who = None, directory: StackDir = None) -> None:
    """Park a delivered row that Stripe's summary lacks, from 3 hours after its delivery on."""
    signed = _signed(who, why)
    _give(directory, lambda desk: ordering.park(desk, identifier, signed))


@app.command()
def retry(identifier: Identifier, *, why: Why, who: Who = None, directory: StackDir = None) -> None:
    """Send a parked row again as it is, under the same identifier."""
    signed = _signed(who, why)
    _give(directory, lambda desk: ordering.retry(desk, identifier, signed))


@app.command()
def reissue(
    identifier: Identifier,
    *,
    why: Why,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="Bill this Stripe customer instead.")] = None,
    timestamp: Annotated[str | None, typer.Option(metavar="TIME", help="Bill it at this time, RFC 3339.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Bill it at the current period's start.")] = False,
    who: Who = None,
    directory: StackDir = None,
) -> None:
    """Replace a parked row that Stripe does not have, from 3 hours after its parking on."""
    change = Change(customer, None if timestamp is None else parse_time("--timestamp", timestamp), now)
    signed = _signed(who, why)
    _give(directory, lambda desk: ordering.reissue(desk, identifier, change, signed))


@app.command("write-off")
def write_off(identifier: Identifier, *, why: Why, who: Who = None, directory: StackDir = None) -> None:
    """Give a parked row up: its units are never billed."""
    signed = _signed(who, why)
    _give(directory, lambda desk: ordering.write_off(desk, identifier, signed))


def _give(directory: Path | None, order: Callable[[Desk], Awaitable[str]]) -> None:
    settings = desk_settings(directory, os.environ)

    async def give() -> str:
        async with open_desk(settings) as desk:
            return await order(desk)

    typer.echo(asyncio.run(give()))


def _signed(who: str | None, why: str) -> Signed:
    signed = Signed((who or running_user()).strip(), why.strip())
    for option, words in (("--who", signed.who), ("--why", signed.why)):
        if not 0 < len(words) <= MAX_WORDS:
            raise OpsError(f"{option} must say something, in at most {MAX_WORDS} characters")
    return signed


async def _read_parked(directory: Path | None) -> list[ParkedRow]:
    settings = ledger_settings(directory)
    async with open_ledger(settings) as (_, ledger):
        return await parked_rows([ledger.shard(number) for number in range(settings.partitions)])


async def _set_up(settings: StripeSettings) -> tuple[list[str], list[str]]:
    client = make_client(settings)
    created = await create_missing(client)
    return created, meter_faults(await list_meters(client))
