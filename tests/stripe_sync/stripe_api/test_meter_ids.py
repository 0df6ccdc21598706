"""A meter that is archived and made again under the same name, while workers run."""

import pytest

from metering.meters import CATALOGUE
from stripe_sync.stripe_api.meter_ids import LISTED_SECONDS, ListedMeterIds, summing_ids
from stripe_sync.stripe_api.meters import create_missing, list_meters
from stripe_sync.stripe_api.summaries import StripeSummaries
from tests.ledger_push.counts import HOUR, NOON
from tests.ledger_push.rows import row
from tests.stripe_sync.crashes import Crash, work_until
from tests.stripe_sync.shard.test_old_rows import LATE
from tests.stripe_sync.world import World


async def remake(world: World, name: str) -> tuple[str, str]:
    """Archives a meter and makes another one; gives the ids of both."""
    client, old = world.double.client(), world.double.meter_ids[name]
    await client.v1.billing.meters.deactivate_async(old)
    found = {meter.name: meter for meter in CATALOGUE}[name]
    new = await client.v1.billing.meters.create_async(
        {"display_name": found.display_name, "event_name": name, "default_aggregation": {"formula": "sum"}}
    )
    return old, new.id


def summaries(world: World) -> StripeSummaries:
    """As the worker asks them."""
    client = world.double.client()
    return StripeSummaries(client, ListedMeterIds(client, world.clock))


async def test_what_both_have_taken_is_what_stripe_holds(world: World) -> None:
    """By minute, hour and day."""
    await world.account("a")
    world.counts.use("a", "sms.send", 5, NOON)
    await world.counts.fold()
    await world.bill()
    await remake(world, "sms.send")
    world.counts.use("a", "sms.send", 7, NOON)
    await world.counts.fold()
    await world.bill()
    customer, asked = world.customers["a"], summaries(world)
    assert await asked.units(row(0, 1, customer=customer)) == 12
    assert await asked.windows(customer, "sms.send", NOON, NOON + HOUR, "hour") == {NOON: 12}


async def test_an_old_row_that_the_archived_meter_took_is_not_sent_again(world: World) -> None:
    """Its answer was lost; a day later another meter has the name, and its summary alone knows nothing of it."""
    await world.account("a")
    world.counts.use("a", "sms.send", 5, NOON)
    await world.counts.fold()
    assert await work_until(world, Crash(1, "stripe POST", after=True))
    await remake(world, "sms.send")
    world.clock.advance(LATE)
    calls = world.double.calls()
    world.summaries = summaries(world)
    await world.bill()
    assert (world.double.calls() - calls, await world.parked()) == (0, 0)
    world.assert_billed_exactly()


async def test_ids_are_looked_up_again_after_a_while(world: World) -> None:
    """And at once where a name is not known."""
    ids = ListedMeterIds(world.double.client(), world.clock)
    old, new = world.double.meter_ids["sms.send"], ""
    assert await ids.of("sms.send") == (old,)
    assert ids.name_of(old) == "sms.send"
    _, new = await remake(world, "sms.send")
    assert (await ids.of("sms.send"), ids.name_of(new)) == ((old,), None)
    world.clock.advance(LISTED_SECONDS)
    assert sorted(await ids.of("sms.send")) == sorted((old, new))
    assert (ids.name_of(old), ids.name_of(new)) == ("sms.send", "sms.send")
    with pytest.raises(ValueError, match="no meter fax"):
        await ids.of("fax")


async def test_a_meter_that_counts_something_else_is_no_usage_of_ours(world: World) -> None:
    """An experiment of years ago had the name."""
    client = world.double.client()
    await client.v1.billing.meters.deactivate_async(world.double.meter_ids["sms.send"])
    experiment = await client.v1.billing.meters.create_async(
        {"display_name": "x", "event_name": "sms.send", "default_aggregation": {"formula": "count"}}
    )
    await client.v1.billing.meters.deactivate_async(experiment.id)
    assert (await summing_ids(client))["sms.send"] == (world.double.meter_ids["sms.send"],)
    assert set(await list_meters(client)) == {meter.name for meter in CATALOGUE}
    assert await create_missing(client) == []
