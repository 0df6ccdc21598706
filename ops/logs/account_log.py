"""Reads accounts from the accounts log, as the aggregator folds them."""

from collections.abc import Mapping

import typer
from kafka.errors import KafkaError
from pydantic import ValidationError

from metering.account import Account
from ops.console.errors import OpsError
from ops.console.safe_text import visible
from ops.logs.table_log import read_records
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames


def read_accounts(records: Mapping[str, bytes]) -> dict[str, Account]:
    """Returns the accounts of the log. A record that can't be read has become a dead letter, and changes nothing."""
    return {name: account for name, value in records.items() if (account := _readable(value)) is not None}


def is_account(value: bytes) -> bool:
    """Returns whether the aggregator accepts this value in the accounts log."""
    return _readable(value) is not None


def _readable(value: bytes) -> Account | None:
    try:
        return Account.model_validate_json(value)
    except ValidationError:
        return None


def warn_of_unset(settings: KafkaSettings, account: str) -> None:
    """Warns on standard error if nobody has set the account: its id may be mistyped.

    A user without the right to read the accounts log, such as a service's, gets no warning.
    """
    try:
        topic = TopicNames(settings.topic_prefix).accounts
        known = read_accounts(read_records(settings, topic, is_account, beside=account))
    except (OpsError, KafkaError):
        return
    if account not in known:
        typer.echo(
            f"warning: nobody has set account {visible(account)}: if the id is right, its usage counts, and is not "
            f"billed before `billing accounts set {visible(account)} --stripe-customer ...`",
            err=True,
        )
