"""What must be true of Stripe before anything is sent."""

import pytest
import stripe
from pydantic import SecretStr

from metering.meters import CATALOGUE
from metering.push_log import StripeIdentity
from runtime.settings import GIVE_UP_SECONDS
from stripe_sync.errors import StripeStoppedError
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.stripe_api.meters import create_missing
from stripe_sync.stripe_api.start_check import answered, checked_meters, stripe_identity
from stripe_sync.stripe_api.summaries import StripeSummaries
from tests.ledger_push.counts import NOON
from tests.ledger_push.rows import name_of, row
from tests.stripe_sync.answering import Answer, Behaviour, Hangup, Reset, answering, refusing_url
from tests.stripe_sync.double import known
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.stripe_api.test_outcomes import client_of, v1
from tests.stripe_sync.world import World


def settings(**other: object) -> StripeSyncSettings:
    """Of a worker with a test key."""
    facts = {"namespace": "tests", "stripe_api_key": SecretStr("sk_test_double")}
    return StripeSyncSettings(**(facts | other))  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "livemode"), [("sk_test_1", False), ("rk_live_1", True), ("sk_live_1", True)])
async def test_the_identity_is_the_key_s_account_and_mode(world: World, key: str, livemode: bool) -> None:
    """Asked of Stripe, together with the namespace."""
    client = world.double.client(key=key)
    identity = await stripe_identity(client, settings(stripe_api_key=SecretStr(key)))
    account = (await client.v1.accounts.retrieve_current_async()).id
    assert identity == StripeIdentity(namespace="tests", account=account, livemode=livemode)


async def test_a_set_account_is_not_asked_for(world: World) -> None:
    """A restricted key may not be allowed to read it."""
    identity = await stripe_identity(world.double.client(key="nonsense"), settings(stripe_account="acct_9"))
    assert identity.account == "acct_9"


async def test_a_worker_without_a_key_says_so(world: World) -> None:
    """The most likely mistake of all is told by its variable's name."""
    for account in ("", "acct_9"):
        with pytest.raises(StripeStoppedError, match="BILLING_STRIPE_API_KEY is not set"):
            await stripe_identity(world.double.client(), settings(stripe_api_key=SecretStr(""), stripe_account=account))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_told(status: int) -> None:
    """At both questions, each with what to do."""
    async with answering(Answer(status, v1())) as server:
        client = client_of(server.url)
        with pytest.raises(StripeStoppedError, match="BILLING_STRIPE_API_KEY"):
            await stripe_identity(client, settings())
        with pytest.raises(StripeStoppedError, match=f"{status}.*BILLING_STRIPE_API_KEY"):
            await checked_meters(client)


@pytest.mark.parametrize(
    "behaviour",
    [Reset(), Hangup(), Answer(503, b"<html>"), Answer(429, v1(code="rate_limit")), Answer(200, b"{", cut=1)],
)
async def test_a_stripe_that_does_not_answer_is_waited_for(
    behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    """A minute, telling so at each attempt; then one line that names the setting."""
    clock = ManualClock()
    async with answering(behaviour) as server:
        client = client_of(server.url)
        with pytest.raises(StripeStoppedError, match=r"not answered for 60 s.*BILLING_STRIPE_API_BASE") as raised:
            await stripe_identity(client, settings(), clock)
    assert "\n" not in str(raised.value)
    assert GIVE_UP_SECONDS <= sum(clock.slept) < GIVE_UP_SECONDS + 30
    assert len([each for each in caplog.records if "does not answer" in each.message]) == len(clock.slept)


async def test_nobody_listening_is_told_in_the_same_way() -> None:
    """At the second question too."""
    with pytest.raises(StripeStoppedError, match="not answered"):
        await checked_meters(client_of(refusing_url()), clock=ManualClock())


async def test_a_stripe_that_comes_back_is_asked_on() -> None:
    """The first attempts go wrong, the next does not; nobody has to start the worker again."""
    attempts, clock = 0, ManualClock()

    async def ask() -> str:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise stripe.APIConnectionError("no route")  # type: ignore[no-untyped-call]
        return "acct_1"

    assert await answered(ask, GIVE_UP_SECONDS, clock) == "acct_1"
    assert len(clock.slept) == 3
    assert clock.slept == sorted(clock.slept)


@pytest.mark.parametrize("body", [v1("Unrecognized request URL (GET: /v1/account)."), {"detail": "Not Found"}])
async def test_a_wrong_address_is_told_at_once(body: dict[str, object]) -> None:
    """Somebody answers, who isn't Stripe: waiting would not help."""
    clock = ManualClock()
    async with answering(Answer(404, body)) as server:
        with pytest.raises(StripeStoppedError, match="BILLING_STRIPE_API_BASE"):
            await stripe_identity(client_of(server.url), settings(), clock)
    assert clock.slept == []


async def test_meters_that_are_as_they_must_be(world: World) -> None:
    """Their ids by name; making the missing ones makes nothing."""
    client = world.double.client()
    assert set(await checked_meters(client)) == {meter.name for meter in CATALOGUE}
    assert await create_missing(client) == []


async def new_meter(client: stripe.StripeClient, name: str, **other: object) -> str:
    """Another meter of that event name, the catalogue's own being archived first."""
    async for old in (await client.v1.billing.meters.list_async()).auto_paging_iter():
        if old.event_name == name:
            await client.v1.billing.meters.deactivate_async(old.id)
    facts: dict[str, object] = {
        "display_name": name,
        "event_name": name,
        "default_aggregation": {"formula": "sum"},
        "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
        "value_settings": {"event_payload_key": "value"},
    }
    return (await client.v1.billing.meters.create_async(facts | other)).id  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"default_aggregation": {"formula": "count"}}, "sms.send: aggregates by count, must be sum"),
        ({"event_time_window": "day"}, "sms.send: pre-aggregates by day"),
        (
            {"customer_mapping": {"type": "by_id", "event_payload_key": "who"}},
            "sms.send: reads the customer from who",
        ),
        ({"value_settings": {"event_payload_key": "much"}}, "sms.send: reads the value from much"),
    ],
)
async def test_a_meter_that_would_bill_something_else_is_refused(
    world: World, other: dict[str, object], told: str
) -> None:
    """Another aggregation, window or payload key."""
    client = world.double.client()
    await new_meter(client, "sms.send", **other)
    with pytest.raises(StripeStoppedError, match=told):
        await checked_meters(client)


async def test_every_fault_is_told_at_once(world: World) -> None:
    """Two archived meters, and one that an active one of the same name has replaced."""
    client = world.double.client()
    made = await new_meter(client, "voice.ai")
    for name in ("sms.send", "did.monthly"):
        await client.v1.billing.meters.deactivate_async(world.double.meter_ids[name])
    with pytest.raises(StripeStoppedError) as raised:
        await checked_meters(client)
    assert "sms.send: is inactive: reactivate it" in str(raised.value)
    assert "did.monthly: is inactive" in str(raised.value)
    assert "voice.ai" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert made


async def test_a_missing_meter_is_refused_and_can_be_made(world: World) -> None:
    """With the event names that are missing."""
    world.double.store.connection.execute("DELETE FROM objects WHERE id = ?", (world.double.meter_ids["sms.send"],))
    client = world.double.client()
    with pytest.raises(StripeStoppedError, match=r"sms\.send: Stripe has no meter"):
        await checked_meters(client)
    assert await create_missing(client) == ["sms.send"]
    assert "sms.send" in await checked_meters(client)


async def test_a_summary_is_that_of_the_row_s_own_minute(world: World) -> None:
    """Customer, meter and minute: the neighbours do not count; nothing at all is 0."""
    client = world.double.client()
    customer, other = await world.double.customer(), await world.double.customer()
    timestamp = NOON - 3600 + 90
    mine = row(0, 5, customer=customer, timestamp=timestamp)
    summaries = StripeSummaries(client, known(world.double.meter_ids))
    assert await summaries.units(mine) == 0
    for number, (who, meter, at) in enumerate(
        [
            (customer, "sms.send", timestamp),
            (customer, "sms.send", timestamp - 30),
            (customer, "sms.send", timestamp + 29),
            (customer, "sms.send", timestamp - 31),
            (customer, "sms.send", timestamp + 30),
            (customer, "voice.ai", timestamp),
            (other, "sms.send", timestamp),
        ]
    ):
        await client.v1.billing.meter_events.create_async(
            {
                "event_name": meter,
                "identifier": f"{name_of(mine)}-{number}",
                "payload": {"stripe_customer_id": who, "value": str(10**number)},
                "timestamp": at,
            }
        )
    assert await summaries.units(mine) == 111
