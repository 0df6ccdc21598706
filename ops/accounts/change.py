"""Applies a change to an account, and refuses one that is not allowed. Pure: it decides from the whole accounts log."""

from collections.abc import Mapping

from pydantic import ValidationError

from metering import rfc3339
from metering.account import Account
from metering.bucket import HOUR_SECONDS
from ops.console.errors import OpsError


def changed(
    accounts: Mapping[str, Account], name: str, changes: Mapping[str, str | int | None], *, force: bool = False
) -> Account:
    """Returns the account after the changes. Fields that the changes don't name stay.

    Args:
        accounts: all accounts.
        name: the account to change; it need not exist.
        changes: the new values, by field of `Account`; None removes a value.
        force: allow that the account loses its Stripe customer.

    Raises:
        OpsError: a field refuses its value, the customer belongs to another account, or the account would lose its
            customer.
    """
    before = accounts.get(name, Account())
    try:
        after = Account.model_validate(before.model_dump() | dict(changes))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise OpsError(f"{fault['loc'][0]}: {fault['msg']}") from error
    if before.customer is not None and after.customer is None and not force:
        raise OpsError(
            f"account {name} would lose its Stripe customer {before.customer}, and its usage would not be billed any "
            "more: if that is meant, add --force"
        )
    owners = [other for other, account in accounts.items() if other != name and account.customer == after.customer]
    if after.customer is not None and owners:
        raise OpsError(
            f"Stripe customer {after.customer} belongs to account {owners[0]}, and a customer may have one account "
            "only: choose another, or take it from that account first (--stripe-customer '' --force)"
        )
    return after


def anchor_advice(anchor: int | None) -> str | None:
    """Returns a warning about an anchor that is not on a full hour; None if it is."""
    if anchor is None or anchor % HOUR_SECONDS == 0:
        return None
    before = anchor - anchor % HOUR_SECONDS
    return (
        f"the anchor {rfc3339.from_unix(anchor)} is off the hour: the rest of that hour's usage counts to the period "
        f"that ends there. Recommended: {rfc3339.from_unix(before)} or {rfc3339.from_unix(before + HOUR_SECONDS)}"
    )
