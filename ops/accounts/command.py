"""`billing accounts`: the Stripe customer of an account, and the times at which its billing periods begin."""

import asyncio
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from ledger.state import Log
from local.stack.display import make_display
from local.stack.settings import settings_of
from metering.account import Account
from metering.period import period_containing
from metering.rfc3339 import from_unix
from ops.accounts.change import anchor_advice, changed
from ops.accounts.plan import plan_import
from ops.accounts.seen import unseen_note
from ops.accounts.stripe_lookup import ask_stripe, looked_up
from ops.accounts.subscriptions import read_subscriptions
from ops.accounts.text import print_plan, time_text
from ops.console.arguments import check_account_id, parse_time
from ops.console.confirm import Confirm
from ops.console.errors import OpsError
from ops.console.plain_table import columns
from ops.console.target import KAFKA, REDIS, STRIPE_KEY, StackDir, find_env
from ops.logs.account_log import is_account, read_accounts
from ops.logs.settings import TableSettings
from ops.logs.table_log import read_records, write_records
from ops.logs.wait_folded import wait_folded
from runtime.exit_codes import NEEDS_A_PERSON
from runtime.settings import StripeSettings
from runtime.topics import TopicNames
from stripe_sync.stripe_api.client import make_client

app = typer.Typer(no_args_is_help=True, add_completion=False)

AccountName = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]


@app.command("set")
def set_account(
    account: AccountName,
    *,
    stripe_customer: Annotated[str | None, typer.Option(metavar="ID", help="Its Stripe customer; '' for none.")] = None,
    anchor: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stripe's billing cycle anchor, RFC 3339; '' for none.")
    ] = None,
    subscription_start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Usage of earlier hours is never billed, its own hour is billed whole. RFC 3339; '' for none.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Allow that the account loses its Stripe customer.")] = False,
    directory: StackDir = None,
) -> None:
    """Create an account, or change it. Fields without an option stay as they are.

    With --stripe-customer, an anchor and a start that are not known yet are looked up at Stripe.
    """
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
    accounts = read_accounts(read_records(settings, topic, is_account))
    after = changed(accounts, account, changes, force=force)
    if stripe_customer:
        after = _with_what_stripe_knows(after, changes, directory)
    advice = anchor_advice(after.anchor) if after.anchor != accounts.get(account, Account()).anchor else None
    unseen = asyncio.run(unseen_note(settings, account)) if account not in accounts else None
    if advice:
        typer.echo(f"warning: {advice}", err=True)
    if unseen:
        typer.echo(f"note: {unseen}", err=True)
    places = write_records(settings, topic, {account: after.to_json()})
    wait_folded(settings, Log.ACCOUNTS, topic, places)
    _print({account: after})


@app.command("list")
def list_accounts(directory: StackDir = None) -> None:
    """Show all known accounts."""
    settings, topic = _settings(directory)
    _print(read_accounts(read_records(settings, topic, is_account)))


@app.command("show")
def show_account(account: AccountName, directory: StackDir = None) -> None:
    """Show one account, and its current billing period."""
    check_account_id(account)
    settings, topic = _settings(directory)
    found = read_accounts(read_records(settings, topic, is_account)).get(account)
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
    every: Annotated[bool, typer.Option("--all", help="Also subscriptions without a price of the six meters.")] = False,
    with_start: Annotated[
        bool,
        typer.Option(
            "--with-start/--without-start",
            help="Also take the subscription's start: usage of earlier hours is never billed.",
        ),
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
    directory: StackDir = None,
) -> None:
    """Take customers, anchors and starts from Stripe's subscriptions; asks before it writes.

    A subscription without a clear account, or one that would give a customer to two accounts, is held back; the exit
    code is then 1.
    """
    settings, topic = _settings(directory)
    stripe_settings = settings_of(StripeSettings, find_env(directory, os.environ, STRIPE_KEY, KAFKA))
    if not stripe_settings.stripe_api_key.get_secret_value():
        raise OpsError(f"{STRIPE_KEY} is not set: set it to a key that may read customers and subscriptions")
    display = make_display(sys.stderr)
    try:
        client = make_client(stripe_settings)
        found = asyncio.run(read_subscriptions(client, key, every=every, progress=display.status))
    finally:
        display.status("")
    plan = plan_import(found, read_accounts(read_records(settings, topic, is_account)), key, with_start=with_start)
    print_plan(plan, as_json=as_json)
    if plan.changes and not dry_run:
        Confirm(yes=yes, dry_run=dry_run).ask(f"Write {len(plan.changes)} accounts?")
        places = write_records(settings, topic, {each.account: each.after.to_json() for each in plan.changes})
        wait_folded(settings, Log.ACCOUNTS, topic, places)
        typer.echo(f"wrote {len(plan.changes)} accounts", err=True)
    if plan.held_back:
        raise typer.Exit(NEEDS_A_PERSON)


def _with_what_stripe_knows(account: Account, named: Collection[str], directory: Path | None) -> Account:
    """Fills empty fields of the account from its customer's subscriptions. A field in `named` stays, even if empty."""
    stripe_settings = settings_of(StripeSettings, find_env(directory, os.environ, STRIPE_KEY, KAFKA, REDIS))
    facts, note = looked_up(asyncio.run(ask_stripe(stripe_settings, account.customer or "")), account)
    if note:
        typer.echo(f"warning: {note}", err=True)
    return account.model_copy(update={name: value for name, value in facts.items() if name not in named})


def _settings(directory: Path | None) -> tuple[TableSettings, str]:
    settings = settings_of(TableSettings, find_env(directory, os.environ, KAFKA, REDIS))
    return settings, TopicNames(settings.topic_prefix).accounts


def _print(accounts: dict[str, Account]) -> None:
    rows = [("ACCOUNT", "STRIPE CUSTOMER", "ANCHOR", "SUBSCRIPTION START")]
    for name, account in sorted(accounts.items()):
        rows.append((name, account.customer or "-", time_text(account.anchor), time_text(account.subscription_start)))
    for line in columns(rows):
        typer.echo(line)
