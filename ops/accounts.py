"""`billing accounts`: which Stripe customer an account has, and when its billing periods begin."""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from ledger.state import Log
from local.stack.settings import settings_of
from metering.account import Account
from metering.period import period_containing
from metering.rfc3339 import from_unix
from ops.account_change import anchor_advice, changed, check_account_id, parse_time, read_accounts
from ops.account_import import plan_import
from ops.account_import_text import print_plan, time_text
from ops.dlq.acting import Confirm
from ops.errors import OpsError
from ops.folded import wait_folded
from ops.settings import TableSettings
from ops.stack_env import KAFKA, REDIS, STRIPE_KEY, StackDir, find_env
from ops.subscriptions import read_subscriptions
from ops.table_log import read_records, write_records
from ops.table_text import columns
from runtime.settings import StripeSettings
from runtime.topics import TopicNames
from stripe_sync.stripe_client import make_client

app = typer.Typer(no_args_is_help=True, add_completion=False)

AccountName = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]


@app.command("set")
def set_account(
    account: AccountName,
    stripe_customer: Annotated[str | None, typer.Option(metavar="ID", help="Its Stripe customer; '' for none.")] = None,
    anchor: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stripe's billing cycle anchor, RFC 3339; '' for none.")
    ] = None,
    subscription_start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Usage before is never billed, RFC 3339; '' for none.")
    ] = None,
    directory: StackDir = None,
) -> None:
    """Make an account known, or change it; what no option names stays as it is."""
    check_account_id(account)
    changes: dict[str, str | int | None] = {}
    if stripe_customer is not None:
        changes["customer"] = stripe_customer or None
    if anchor is not None:
        changes["anchor"] = parse_time("--anchor", anchor) if anchor else None
    if subscription_start is not None:
        changes["subscription_start"] = (
            parse_time("--subscription-start", subscription_start) if subscription_start else None
        )
    settings, topic = _settings(directory)
    after = changed(read_accounts(read_records(settings, topic)), account, changes)
    advice = anchor_advice(after.anchor) if "anchor" in changes else None
    if advice:
        typer.echo(f"warning: {advice}", err=True)
    places = write_records(settings, topic, {account: after.to_json()})
    wait_folded(settings, Log.ACCOUNTS, topic, places)
    _print({account: after})


@app.command("list")
def list_accounts(directory: StackDir = None) -> None:
    """Show every account that is known."""
    settings, topic = _settings(directory)
    _print(read_accounts(read_records(settings, topic)))


@app.command("show")
def show_account(account: AccountName, directory: StackDir = None) -> None:
    """Show one account, and its current billing period."""
    check_account_id(account)
    settings, topic = _settings(directory)
    found = read_accounts(read_records(settings, topic)).get(account)
    if found is None:
        raise OpsError(f"account {account} is not known: make it so with billing accounts set {account}")
    period = period_containing(int(time.time()), found.anchor)
    rows = [
        ("account", account),
        ("stripe customer", found.customer or "-"),
        ("anchor", time_text(found.anchor)),
        ("subscription start", time_text(found.subscription_start)),
        ("current period", f"{from_unix(period.start)} to {from_unix(period.end)}"),
    ]
    for line in columns(rows):
        typer.echo(line)


@app.command("import-stripe")
def import_stripe(
    *,
    key: Annotated[
        str,
        typer.Option("--account-key", metavar="KEY", help="The key in a customer's metadata that names its account."),
    ] = "account",
    every: Annotated[bool, typer.Option("--all", help="Subscriptions without a price of the six meters too.")] = False,
    with_start: Annotated[
        bool, typer.Option("--with-start", help="Take the subscription's start too: usage before is never billed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
    directory: StackDir = None,
) -> None:
    """Take customers and anchors from Stripe's subscriptions; asks before it writes.

    What can't be told, or would give a customer to two accounts, is held back: exit code 1.
    """
    settings, topic = _settings(directory)
    stripe_settings = settings_of(StripeSettings, find_env(directory, os.environ, STRIPE_KEY, KAFKA))
    if not stripe_settings.stripe_api_key.get_secret_value():
        raise OpsError(f"{STRIPE_KEY} is not set: set it to a key that may read customers and subscriptions")
    found = asyncio.run(read_subscriptions(make_client(stripe_settings), key, every=every))
    plan = plan_import(found, read_accounts(read_records(settings, topic)), key, with_start=with_start)
    print_plan(plan, as_json=as_json)
    if plan.changes and not dry_run:
        Confirm(yes=yes, dry_run=dry_run).ask(f"Write {len(plan.changes)} accounts?")
        places = write_records(settings, topic, {each.account: each.after.to_json() for each in plan.changes})
        wait_folded(settings, Log.ACCOUNTS, topic, places)
        typer.echo(f"wrote {len(plan.changes)} accounts", err=True)
    if plan.held_back:
        raise typer.Exit(1)


def _settings(directory: Path | None) -> tuple[TableSettings, str]:
    settings = settings_of(TableSettings, find_env(directory, os.environ, KAFKA, REDIS))
    return settings, TopicNames(settings.topic_prefix).accounts


def _print(accounts: dict[str, Account]) -> None:
    rows = [("ACCOUNT", "STRIPE CUSTOMER", "ANCHOR", "SUBSCRIPTION START")]
    for name, account in sorted(accounts.items()):
        rows.append((name, account.customer or "-", time_text(account.anchor), time_text(account.subscription_start)))
    for line in columns(rows):
        typer.echo(line)
