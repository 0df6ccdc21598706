"""What a change to an account amounts to, and whether it may be: decided from the whole accounts log."""

import re
from collections.abc import Mapping

from pydantic import ValidationError

from metering import rfc3339
from metering.account import Account
from metering.bucket import HOUR_SECONDS
from metering.limits import ACCOUNT_PATTERN
from ops.errors import OpsError

_ACCOUNT = re.compile(ACCOUNT_PATTERN)
_TIME = re.compile(rfc3339.PATTERN)


def check_account_id(account: str) -> None:
    """Refuses what the platform would reject.

    Raises:
        OpsError: it is no account id.
    """
    if not _ACCOUNT.fullmatch(account):
        raise OpsError(f"{account!r} is not an account id: use 1 to 128 of A-Z a-z 0-9 _ . : -")


def parse_time(option: str, text: str) -> int:
    """Unix seconds of an option's RFC 3339 text.

    Raises:
        OpsError: it is not written so.
    """
    if not _TIME.fullmatch(text):
        raise OpsError(f"{option} {text!r} is not RFC 3339: write a time as 2025-01-15T00:00:00Z")
    try:
        return rfc3339.to_unix(text)
    except ValueError as error:
        raise OpsError(f"{option} {text!r}: {error}") from error


def read_accounts(records: Mapping[str, bytes]) -> dict[str, Account]:
    """The accounts of the log; a record that can't be read has become a dead letter and counts for nothing."""
    accounts = {}
    for name, value in records.items():
        try:
            accounts[name] = Account.model_validate_json(value)
        except ValidationError:
            continue
    return accounts


def changed(accounts: Mapping[str, Account], name: str, changes: Mapping[str, str | int | None]) -> Account:
    """The account after the changes; what they don't name stays.

    Args:
        accounts: every account there is.
        name: the one to change; it need not exist.
        changes: by field of `Account`; None removes.

    Raises:
        OpsError: a value that a field does not take, or a customer that belongs to another account.
    """
    before = accounts.get(name, Account())
    try:
        after = Account.model_validate(before.model_dump() | dict(changes))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise OpsError(f"{fault['loc'][0]}: {fault['msg']}") from error
    owners = [other for other, account in accounts.items() if other != name and account.customer == after.customer]
    if after.customer is not None and owners:
        raise OpsError(
            f"Stripe customer {after.customer} belongs to account {owners[0]}, and a customer may have one account "
            "only: choose another, or take it from that account first (--stripe-customer '')"
        )
    return after


def anchor_advice(anchor: int | None) -> str | None:
    """What to say of an anchor off the hour; None for one that is as it should be."""
    if anchor is None or anchor % HOUR_SECONDS == 0:
        return None
    before = anchor - anchor % HOUR_SECONDS
    return (
        f"the anchor {rfc3339.from_unix(anchor)} is off the hour: the rest of that hour's usage counts to the period "
        f"that ends there. Recommended: {rfc3339.from_unix(before)} or {rfc3339.from_unix(before + HOUR_SECONDS)}"
    )
