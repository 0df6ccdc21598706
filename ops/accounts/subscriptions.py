"""Reads Stripe's subscriptions, and keeps the fields that an account needs."""

from collections.abc import Callable

import stripe

from ops.accounts.plan import AccountSubscription
from stripe_sync.stripe_api.meters import list_meters

_PAGE = 100  # objects in one answer: the most that Stripe allows
_NEVER_BILLED = ("incomplete", "incomplete_expired", "canceled")


async def read_subscriptions(
    client: stripe.StripeClient, key: str, *, every: bool, progress: Callable[[str], None] = lambda _: None
) -> list[AccountSubscription]:
    """Returns the subscriptions that Stripe bills, with the accounts that their customers name.

    Args:
        client: Stripe's client.
        key: the key in a customer's metadata that names an account.
        every: also return subscriptions without a price of the catalogue's meters.
        progress: takes a line of text about the progress.

    Raises:
        stripe.StripeError: Stripe does not answer.
    """
    meters = {meter.id for meter in (await list_meters(client)).values()}
    accounts = await _accounts(client, key, progress)
    page = await client.v1.subscriptions.list_async({"limit": _PAGE})
    found, read = list[AccountSubscription](), 0
    async for each in page.auto_paging_iter():
        read += 1
        progress(f"Stripe's subscriptions: {read:,} read")
        if each.status not in _NEVER_BILLED and (every or _is_metered(each, meters)):
            found.append(_subscribed(each, accounts.get(_id(each.customer))))
    return found


async def subscriptions_of(client: stripe.StripeClient, customer: str) -> list[AccountSubscription]:
    """Returns the customer's billed subscriptions with a price of the catalogue's meters; all billed ones if none has.

    Raises:
        stripe.StripeError: Stripe does not answer, or does not know the customer.
    """
    meters = {meter.id for meter in (await list_meters(client)).values()}
    page = await client.v1.subscriptions.list_async({"limit": _PAGE, "customer": customer})
    found = [each async for each in page.auto_paging_iter() if each.status not in _NEVER_BILLED]
    metered = [each for each in found if _is_metered(each, meters)]
    return [_subscribed(each, None) for each in metered or found]


def _subscribed(each: stripe.Subscription, account: str | None) -> AccountSubscription:
    return AccountSubscription(
        each.id,
        _id(each.customer),
        account,
        each.billing_cycle_anchor,
        each.start_date,
        monthly=all(_is_monthly(price) for price in _prices(each)),
    )


def _is_metered(subscription: stripe.Subscription, meters: set[str]) -> bool:
    return any(_meter(price) in meters for price in _prices(subscription))


async def _accounts(client: stripe.StripeClient, key: str, progress: Callable[[str], None]) -> dict[str, str]:
    """Returns accounts by customer id, from the customers' metadata."""
    page = await client.v1.customers.list_async({"limit": _PAGE})
    named, read = dict[str, str](), 0
    async for each in page.auto_paging_iter():
        read += 1
        progress(f"Stripe's customers: {read:,} read")
        if each.metadata and key in each.metadata:
            named[each.id] = each.metadata[key]
    return named


def _prices(subscription: stripe.Subscription) -> list[stripe.Price]:
    return [item.price for item in subscription["items"].data]  # `.items` is a dictionary's method


def _meter(price: stripe.Price) -> str | None:
    return None if price.recurring is None else price.recurring.meter


def _is_monthly(price: stripe.Price) -> bool:
    recurring = price.recurring
    return recurring is None or (recurring.interval == "month" and recurring.interval_count == 1)


def _id(customer: str | stripe.Customer) -> str:
    return customer if isinstance(customer, str) else customer.id
