"""Looks up an account's anchor and subscription start in its Stripe customer's subscriptions."""

from collections.abc import Sequence
from typing import NamedTuple

import stripe

from metering.account import Account
from metering.rfc3339 import from_unix
from ops.accounts.plan import AccountSubscription
from ops.accounts.subscriptions import subscriptions_of
from runtime.settings import StripeSettings
from stripe_sync.stripe_api.client import make_client

LATER = "set the account again once it has, or name --anchor and --subscription-start"


class LookedUp(NamedTuple):
    """Values for fields of `Account` that had none; and a warning for a person, None if there is nothing to say."""

    facts: dict[str, int]
    note: str | None = None


class LookupFailure(NamedTuple):
    """The reason why a customer's subscriptions can't be read; `unknown`: Stripe has no such customer."""

    why: str
    unknown: bool = False


async def ask_stripe(settings: StripeSettings, customer: str) -> list[AccountSubscription] | LookupFailure:
    """Returns the customer's subscriptions, or the reason why they can't be read."""
    if not settings.stripe_api_key.get_secret_value():
        return LookupFailure("BILLING_STRIPE_API_KEY is not set")
    try:
        return await subscriptions_of(make_client(settings), customer)
    except stripe.StripeError as error:
        return LookupFailure(" ".join(str(error).split()), unknown=error.code == "resource_missing")


def looked_up(found: Sequence[AccountSubscription] | LookupFailure, known: Account) -> LookedUp:
    """Decides which values an account takes from its customer's subscriptions. Known values stay.

    Args:
        found: its customer's subscriptions, or the reason why they can't be read.
        known: the account, its customer included.

    Returns:
        The new values, and a warning where Stripe does not say what is missing.
    """
    if isinstance(found, LookupFailure) and found.unknown:
        return LookedUp({}, f"Stripe knows no customer {known.customer}, and will bill none of its usage: check the id")
    if known.anchor is not None and known.subscription_start is not None:
        return LookedUp({})
    if isinstance(found, LookupFailure):
        return LookedUp({}, f"anchor and start were not looked up at Stripe ({found.why}): {_unknown(known)}")
    if not found:
        return LookedUp({}, f"customer {known.customer} has no subscription at Stripe: {_unknown(known)}; {LATER}")
    anchors = sorted({each.anchor for each in found})
    if len(anchors) > 1 or not all(each.monthly for each in found):
        what = f"several anchors ({', '.join(map(from_unix, anchors))})" if len(anchors) > 1 else "none that is monthly"
        return LookedUp({}, f"the subscriptions of {known.customer} have {what}: {_unknown(known)}; name --anchor")
    facts = {"anchor": anchors[0], "subscription_start": min(each.start for each in found)}
    return LookedUp({name: value for name, value in facts.items() if getattr(known, name) is None})


def _unknown(known: Account) -> str:
    periods = "periods are UTC calendar months, and " if known.anchor is None else ""
    return f"{periods}usage before the subscription would be sent to Stripe, which bills none of it"
