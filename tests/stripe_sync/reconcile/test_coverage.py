"""Accepted, and on no invoice: found on the double, named with account and meter, and gone once it is mended."""

import asyncio
from typing import Any

import pytest
import stripe
from prometheus_client import CollectorRegistry

from ledger.notices import read_notices
from metering.alarms import Distances
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from stripe_sync.process.comparisons import FAILURES_TOLD, MOST_UNCOVERED, Comparisons
from stripe_sync.process.metrics import StripeSyncMetrics
from stripe_sync.reconcile.coverage import Coverage
from stripe_sync.reconcile.hourly import EVERY_METER, EVERY_SECONDS, Hourly
from stripe_sync.reconcile.invoicing import Cause, Uncovered
from stripe_sync.reconcile.shard import Findings, ShardComparison
from stripe_sync.shard.worker import Surroundings
from stripe_sync.stripe_api.subscriptions import StripeSubscriptions
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.double import known
from tests.stripe_sync.reconcile.test_difference import comparison_of
from tests.stripe_sync.world import World, at_once, running
from tests.support.eventually import eventually_async

DAY = 24 * HOUR
METER = "sms.send"
BEGUN = {"backdate_start_date": NOON - DAY}


class Shop:
    """Stripe's dashboard: prices and subscriptions of the world's customers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client = world.double.client()

    async def price(self, meter: str) -> str:
        """A price of a meter."""
        product = await self.client.v1.products.create_async({"name": meter})
        recurring: Any = {"interval": "month", "usage_type": "metered", "meter": self._world.double.meter_ids[meter]}
        params: Any = {"currency": "usd", "product": product.id, "unit_amount": 1, "recurring": recurring}
        return (await self.client.v1.prices.create_async(params)).id

    async def subscribe(self, account: str, meter: str = METER, **more: Any) -> str:
        """A subscription of an account's customer."""
        items = [{"price": await self.price(meter)}]
        params: Any = {"customer": self._world.customers[account], "items": items} | more
        return (await self.client.v1.subscriptions.create_async(params)).id

    async def update(self, subscription: str, **changes: Any) -> None:
        """Changes one."""
        params: Any = changes
        await self.client.v1.subscriptions.update_async(subscription, params)


@pytest.fixture
async def shop(world: World) -> Shop:
    """Two accounts: a healthy one, and one whose five units are looked at; both are accepted at noon."""
    shop = Shop(world)
    for name in ("healthy", "acme"):
        await world.account(name)
        world.counts.use(name, METER, 5, NOON)
    await world.counts.fold()
    await world.bill()
    await shop.subscribe("healthy", **BEGUN)
    return shop


def comparison(world: World, client: stripe.StripeClient | None = None) -> ShardComparison:
    """The worker's, which asks the double for subscriptions."""
    made = comparison_of(world)
    subscriptions = StripeSubscriptions(client or world.double.client(), at_once)
    made._coverage = Coverage(subscriptions, known(world.double.meter_ids), world.clock)
    return made


async def found(world: World) -> list[Uncovered]:
    """What is on no invoice."""
    findings = await comparison(world).run(EVERY_METER)
    assert findings.unread is None
    return findings.uncovered


def acmes(world: World, cause: Cause) -> list[Uncovered]:
    """The account's units, for a cause."""
    return [Uncovered("acme", METER, world.customers["acme"], cause, 5)]


async def test_no_subscription(world: World, shop: Shop) -> None:
    """Until there is one that began before the usage."""
    assert await found(world) == acmes(world, Cause.NO_SUBSCRIPTION)
    await shop.subscribe("acme", **BEGUN)
    assert await found(world) == []


async def test_a_subscription_that_had_ended(world: World, shop: Shop) -> None:
    """Until there is another one."""
    world.clock.advance(-DAY)
    await shop.client.v1.subscriptions.cancel_async(await shop.subscribe("acme"))
    world.clock.advance(DAY)
    assert await found(world) == acmes(world, Cause.CANCELLED)
    await shop.subscribe("acme", **BEGUN)
    assert await found(world) == []


async def test_a_subscription_that_had_not_begun(world: World, shop: Shop) -> None:
    """It begins an hour after the usage."""
    world.clock.advance(HOUR)
    await shop.subscribe("acme")
    assert await found(world) == acmes(world, Cause.NOT_BEGUN)
    await shop.subscribe("acme", **BEGUN)
    assert await found(world) == []


async def test_a_subscription_that_is_paused(world: World, shop: Shop) -> None:
    """Until it is resumed."""
    subscription = await shop.subscribe("acme", **BEGUN, billing_cycle_anchor=NOON + 5 * DAY)
    await shop.update(subscription, pause_collection={"behavior": "void"})
    assert await found(world) == acmes(world, Cause.PAUSED)
    await shop.update(subscription, pause_collection="")
    assert await found(world) == []


async def test_a_subscription_without_a_price_for_the_meter(world: World, shop: Shop) -> None:
    """Until it has one."""
    subscription = await shop.subscribe("acme", "voice.ai", **BEGUN)
    assert await found(world) == acmes(world, Cause.NO_PRICE)
    await shop.update(subscription, items=[{"price": await shop.price(METER)}])
    assert await found(world) == []


async def test_what_is_too_old_to_be_mended_is_told_no_more(world: World, shop: Shop) -> None:
    """Stripe takes nothing older: there is nothing to do there."""
    world.clock.advance(36 * DAY)
    assert await found(world) == []


async def test_a_key_that_may_not_read_subscriptions_hides_nothing(world: World, shop: Shop) -> None:
    """It is told, and the comparison of sums goes on."""
    findings = await comparison(world, world.double.client(key="nonsense")).run(EVERY_METER)
    assert findings.unread is not None
    assert findings.unread.startswith("AuthenticationError: ")
    assert findings.lanes == 2


async def test_it_is_said_until_it_is_mended(world: World, shop: Shop) -> None:
    """In the status and on `/metrics`: again and again, though it is looked for once an hour only."""
    metrics = StripeSyncMetrics(CollectorRegistry(), world.clock, Distances())
    hourly = Hourly(
        world.shard(), comparison(world), lambda _: None, world.clock, asyncio.Lock(), metrics.comparisons.compared
    )

    async def says(*expected: Finding) -> bool:
        return await read_notices(world.shard()) == list(expected)

    async with running(world.worker(surroundings=Surroundings(report=metrics.shard))):
        world.clock.advance(60)
        await hourly.look()
        (expected,) = acmes(world, Cause.NO_SUBSCRIPTION)
        await eventually_async(lambda: says(expected.finding(0)))
        await world.redis.delete(*[key async for key in world.redis.scan_iter("*api:notices*")])
        await eventually_async(lambda: says(expected.finding(0)))
        await shop.subscribe("acme", **BEGUN)
        world.clock.advance(EVERY_SECONDS)
        await hourly.look()
        await eventually_async(says)


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """A metric's value."""
    return registry.get_sample_value(name, {"shard": "0", **labels})


def test_the_last_word_on_a_shard_is_kept() -> None:
    """A comparison that fails takes nothing back, and is a trouble itself once it has failed twice."""
    registry = CollectorRegistry()
    kept, labels = Comparisons(registry), {"account": "acme", "meter": METER, "cause": "paused"}
    uncovered = Uncovered("acme", METER, "cus_1", Cause.PAUSED, 5)
    kept.compared(0, Findings(1, uncovered=[uncovered]))
    assert sample(registry, "stripe_not_invoiced_units", **labels) == 5
    for times in range(FAILURES_TOLD):
        assert [each.trouble for each in kept.wrong(0)] == [Trouble.NOT_INVOICED]
        kept.compared(0, f"why {times}")
    assert str(kept.wrong(0)[0]).endswith("was not compared with what it bills: why 1")
    kept.compared(0, Findings(1, unread="403"))
    assert [each.trouble for each in kept.wrong(0)] == [Trouble.SUBSCRIPTIONS_UNREAD]
    assert sample(registry, "stripe_not_invoiced_units", **labels) is None
    kept.release([0])
    assert kept.wrong(0) == []
    assert sample(registry, "stripe_missing_units") is None


def test_thousands_of_accounts_are_not_thousands_of_labels() -> None:
    """The others are found once these are mended."""
    kept = Comparisons(CollectorRegistry())
    kept.compared(0, Findings(1, uncovered=[Uncovered(f"a{n}", METER, "c", Cause.PAUSED, 1) for n in range(500)]))
    assert len(kept.wrong(0)) == MOST_UNCOVERED
