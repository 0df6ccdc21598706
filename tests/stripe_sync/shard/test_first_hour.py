"""Usage of a subscription's first minutes is invoiced, however the account was made known."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from local.stripe.invoices import invoices
from metering.account import Account
from ops.accounts.plan import plan_import
from ops.accounts.stripe_lookup import looked_up
from ops.accounts.subscriptions import read_subscriptions, subscriptions_of
from tests.ledger_push.counts import NOON
from tests.stripe_sync.world import World

BEGUN = NOON + 20 * 60 + 13  # off the hour, as Stripe lets a subscription begin
KEY = "tenant"


async def subscribe(world: World, anchor: int | None) -> str:
    """A customer that has just subscribed to text messages; billed from now on, or from an anchor on."""
    client = world.double.client()
    customer = await client.v1.customers.create_async({"metadata": {KEY: "a"}})
    product = await client.v1.products.create_async({"name": "Telephony"})
    recurring: Any = {"interval": "month", "usage_type": "metered", "meter": world.double.meter_ids["sms.send"]}
    price = await client.v1.prices.create_async(
        {"currency": "usd", "product": product.id, "unit_amount": 1, "recurring": recurring}
    )
    more: Any = {} if anchor is None else {"billing_cycle_anchor": anchor}
    await client.v1.subscriptions.create_async({"customer": customer.id, "items": [{"price": price.id}], **more})
    return customer.id


async def by_set(world: World, customer: str, _anchor: int) -> Account:
    """`billing accounts set a --stripe-customer ID`: Stripe is asked for the rest."""
    known = Account(customer=customer)
    found = looked_up(await subscriptions_of(world.double.client(), customer), known)
    assert found.note is None
    return known.model_copy(update=found.facts)


async def by_import(world: World, _customer: str, _anchor: int) -> Account:
    """`billing accounts import-stripe`."""
    found = await read_subscriptions(world.double.client(), KEY, every=False)
    (change,) = plan_import(found, {}, KEY, with_start=True).changes
    return change.after


async def by_import_without_start(world: World, _customer: str, _anchor: int) -> Account:
    """`billing accounts import-stripe --without-start`."""
    found = await read_subscriptions(world.double.client(), KEY, every=False)
    (change,) = plan_import(found, {}, KEY, with_start=False).changes
    return change.after


async def by_anchor(_world: World, customer: str, anchor: int) -> Account:
    """`billing accounts set a --stripe-customer ID --anchor TIME`, where Stripe is not asked."""
    return Account(customer=customer, anchor=anchor)


async def by_start(_world: World, customer: str, anchor: int) -> Account:
    """The same with --subscription-start."""
    return Account(customer=customer, anchor=anchor, subscription_start=BEGUN)


Way = Callable[[World, str, int], Awaitable[Account]]
LATER = NOON + 10 * 24 * 3600 + 1800


@pytest.mark.parametrize(
    ("way", "anchor"),
    [
        *((way, None) for way in (by_set, by_import, by_import_without_start, by_anchor, by_start)),
        *((way, LATER) for way in (by_set, by_import, by_start)),
    ],
)
async def test_the_first_minutes_are_invoiced(world: World, way: Way, anchor: int | None) -> None:
    """All of them, whether the first period begins with the subscription or at an anchor of its own."""
    world.clock.advance(BEGUN - NOON)
    customer = await subscribe(world, anchor)
    world.customers["a"] = customer
    world.counts.map("a", await way(world, customer, BEGUN if anchor is None else anchor))
    for minute, units in enumerate((5, 7, 3)):
        world.counts.use("a", "sms.send", units, BEGUN + minute * 60)
    world.clock.advance(2 * 3600)
    world.counts.use("a", "sms.send", 11, BEGUN + 5000)
    await world.counts.fold()
    await world.bill()
    world.assert_billed_exactly()
    found = invoices(world.double.store, customer, livemode=False, now=world.clock.now_ms() / 1000, grace=3600.0)
    assert {line.status for line in found["lines"]} == {"open"}
    assert sum(line.billed for line in found["lines"]) == 26
