"""`billing accounts`: which Stripe customer an account has, and when its billing periods begin."""

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
from ops.errors import OpsError
from ops.folded import wait_folded
from ops.settings import TableSettings
from ops.stack_env import KAFKA, REDIS, StackDir, find_env
from ops.table_log import read_records, write_records
from ops.table_text import columns
from runtime.topics import TopicNames

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
        ("anchor", _time(found.anchor)),
        ("subscription start", _time(found.subscription_start)),
        ("current period", f"{from_unix(period.start)} to {from_unix(period.end)}"),
    ]
    for line in columns(rows):
        typer.echo(line)


def _settings(directory: Path | None) -> tuple[TableSettings, str]:
    settings = settings_of(TableSettings, find_env(directory, os.environ, KAFKA, REDIS))
    return settings, TopicNames(settings.topic_prefix).accounts


def _print(accounts: dict[str, Account]) -> None:
    rows = [("ACCOUNT", "STRIPE CUSTOMER", "ANCHOR", "SUBSCRIPTION START")]
    for name, account in sorted(accounts.items()):
        rows.append((name, account.customer or "-", _time(account.anchor), _time(account.subscription_start)))
    for line in columns(rows):
        typer.echo(line)


def _time(seconds: int | None) -> str:
    return "-" if seconds is None else from_unix(seconds)
