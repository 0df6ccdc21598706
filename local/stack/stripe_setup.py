"""Makes the objects that a stack needs at Stripe: meters, the demo's customers and their subscriptions."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import stripe

from local.stack.errors import StackError
from metering.meters import BY_NAME
from metering.period import period_containing
from runtime.settings import StripeSettings
from stripe_sync.stripe_api.client import make_client
from stripe_sync.stripe_api.meters import create_missing, list_meters, meter_faults

MOST_ITEMS = 20  # items of a subscription: Stripe's limit

T = TypeVar("T")


def set_up_meters(settings: StripeSettings) -> list[str]:
    """Creates the missing meters, and returns their names.

    Raises:
        StackError: a meter at Stripe would bill something else than the platform counts, or Stripe refuses.
    """

    async def work(client: stripe.StripeClient) -> list[str]:
        created = await create_missing(client)
        faults = meter_faults(await list_meters(client))
        if faults:
            raise StackError("Stripe's meters are not as they must be: " + "; ".join(faults))
        return created

    return _with_client(settings, work)


def make_customers(
    settings: StripeSettings, anchors: Mapping[str, int | None], namespace: str, now: float
) -> Mapping[str, str]:
    """Makes a customer per account, and returns their ids by account. Within a day of a crash, returns the same ids.

    A customer subscribes to all meters from the start of its current period, so that its usage is on an invoice.

    Args:
        settings: Stripe's address and key.
        anchors: the billing anchors by account.
        namespace: the installation's namespace.
        now: the time, Unix seconds.

    Raises:
        StackError: Stripe refuses.
    """

    async def work(client: stripe.StripeClient) -> Mapping[str, str]:
        customers = dict[str, str]()
        prices = await _prices(client, namespace) if anchors else []
        for account, anchor in anchors.items():
            customer = await client.v1.customers.create_async(
                {"name": f"Demo {account}", "metadata": {"account": account}},
                {"idempotency_key": f"{namespace}:customer:{account}"},
            )
            period = period_containing(int(now), anchor)
            await client.v1.subscriptions.create_async(
                {
                    "customer": customer.id,
                    "items": [{"price": price} for price in prices],
                    "backdate_start_date": period.start,
                    "billing_cycle_anchor": period.end,
                    "proration_behavior": "none",
                },
                {"idempotency_key": f"{namespace}:subscription:{account}:{period.start}"},
            )
            customers[account] = customer.id
        return customers

    return _with_client(settings, work)


async def _prices(client: stripe.StripeClient, namespace: str) -> list[str]:
    """Makes a price of a cent per unit for every active meter, the catalogue's meters first. Returns their ids."""
    product = await client.v1.products.create_async(
        {"name": "Demo telephony"}, {"idempotency_key": f"{namespace}:product"}
    )
    found, prices = await list_meters(client), list[str]()
    active = sorted((name for name in found if found[name].status == "active"), key=lambda name: name not in BY_NAME)
    for name in active[:MOST_ITEMS]:
        price = await client.v1.prices.create_async(
            {
                "currency": "usd",
                "product": product.id,
                "unit_amount": 1,
                "recurring": {"interval": "month", "usage_type": "metered", "meter": found[name].id},
            },
            {"idempotency_key": f"{namespace}:price:{name}"},
        )
        prices.append(price.id)
    return prices


def _with_client(settings: StripeSettings, work: Callable[[stripe.StripeClient], Awaitable[T]]) -> T:
    async def run() -> T:
        return await work(make_client(settings))

    try:
        return asyncio.run(run())
    except stripe.StripeError as error:
        raise StackError(f"Stripe at {settings.stripe_api_base} refuses: {error.user_message or error}") from error
