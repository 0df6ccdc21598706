"""Stripe's subscriptions, as far as accounts are concerned."""

import stripe

from ops.account_import import Subscribed
from stripe_sync.meters import list_meters

_PAGE = 100  # Stripe's most
_NEVER_BILLED = ("incomplete", "incomplete_expired", "canceled")


async def read_subscriptions(client: stripe.StripeClient, key: str, *, every: bool) -> list[Subscribed]:
    """The subscriptions that are billed, with the account that each one's customer names.

    Args:
        client: a client.
        key: the key in a customer's metadata that names an account.
        every: also those without a price of the catalogue's meters.

    Raises:
        stripe.StripeError: Stripe does not answer.
    """
    meters = {meter.id for meter in (await list_meters(client)).values()}
    accounts = await _accounts(client, key)
    page = await client.v1.subscriptions.list_async({"limit": _PAGE})
    return [
        Subscribed(
            each.id,
            _id(each.customer),
            accounts.get(_id(each.customer)),
            each.billing_cycle_anchor,
            each.start_date,
            monthly=all(_is_monthly(price) for price in _prices(each)),
        )
        async for each in page.auto_paging_iter()
        if each.status not in _NEVER_BILLED and (every or any(_meter(price) in meters for price in _prices(each)))
    ]


async def _accounts(client: stripe.StripeClient, key: str) -> dict[str, str]:
    """The account that each customer's metadata names."""
    page = await client.v1.customers.list_async({"limit": _PAGE})
    return {
        each.id: each.metadata[key] async for each in page.auto_paging_iter() if each.metadata and key in each.metadata
    }


def _prices(subscription: stripe.Subscription) -> list[stripe.Price]:
    return [item.price for item in subscription["items"].data]  # `.items` is a dictionary's method


def _meter(price: stripe.Price) -> str | None:
    return None if price.recurring is None else price.recurring.meter


def _is_monthly(price: stripe.Price) -> bool:
    recurring = price.recurring
    return recurring is None or (recurring.interval == "month" and recurring.interval_count == 1)


def _id(customer: str | stripe.Customer) -> str:
    return customer if isinstance(customer, str) else customer.id
