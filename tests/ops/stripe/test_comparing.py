"""The worker's comparison on real logs, as it runs beside the shards' workers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ledger.hints import ALL_METERS, leave_hint
from local.stack.settings import settings_of
from runtime.clock import SystemClock
from runtime.settings import KafkaSettings, StripeSettings
from stripe_sync.reconcile.hourly import Hourly
from stripe_sync.reconcile.service import Comparing
from stripe_sync.reconcile.shard import Findings
from stripe_sync.stripe_api.client import make_client
from stripe_sync.stripe_api.meter_ids import ListedMeterIds
from tests.ops.push_log_house import PushLogHouse
from tests.support.eventually import eventually_async


@pytest.fixture
async def told(house: PushLogHouse) -> AsyncIterator[tuple[Hourly, list[tuple[int, int]]]]:
    """The comparison of the house's shard, and its reports: (shard, missing units)."""
    missing: list[tuple[int, int]] = []
    client = make_client(settings_of(StripeSettings, house.env))
    kafka = settings_of(KafkaSettings, house.env)

    def tell(shard: int, found: Findings | str) -> None:
        assert isinstance(found, Findings)
        missing.append((shard, sum(each.missing for each in found.missing)))

    comparing = Comparing(kafka, house.topic, SystemClock(), tell)
    await comparing.start()
    meter_ids = ListedMeterIds(client, SystemClock())
    yield comparing.beside(house.shard, client, meter_ids), missing
    await comparing.stop()


async def test_what_stripe_lost_is_told_and_what_is_young_is_not(
    house: PushLogHouse, told: tuple[Hourly, list[tuple[int, int]]], caplog: pytest.LogCaptureFixture
) -> None:
    """One row is there, one is lost, one was delivered an hour ago: after a hint, only the lost one is an alarm."""
    hourly, missing = told
    there, lost, young = house.row(), house.row(), house.row()
    await house.tell_stripe(there)
    for row, hours_ago in ((there, 6.0), (lost, 6.0), (young, 1.0)):
        house.deliver(row, hours_ago)
    await eventually_async(house.is_folded, what="the push log is folded")
    await leave_hint(house.shard, ALL_METERS)
    await hourly.look()
    assert missing == [(0, 100)]
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    (alarm,) = (each for each in errors if each.startswith("accepted, but not billed"))
    assert f"customer {lost.customer}, meter sms.send" in alarm
    assert "100 units are missing" in alarm

    meters = await asyncio.to_thread(house.stripe.v1.billing.meters.list, {"limit": 100})
    another_meter = next(meter.id for meter in meters.data if meter.event_name == "voice.ai")
    await leave_hint(house.shard, another_meter)
    await hourly.look()
    assert missing == [(0, 100), (0, 100)], "one meter's comparison says nothing of the others"


async def test_nothing_is_asked_before_its_time(
    house: PushLogHouse, told: tuple[Hourly, list[tuple[int, int]]]
) -> None:
    """Before the hour, and without a hint, Stripe is not asked."""
    hourly, missing = told
    await hourly.look()
    assert missing == []
