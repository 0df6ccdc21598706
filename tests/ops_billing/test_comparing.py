"""The worker's comparison on real logs: what runs beside each shard's worker."""

from collections.abc import AsyncIterator

import pytest

from ledger.hints import ALL_METERS, leave_hint
from local.stack.settings import settings_of
from runtime.clock import SystemClock
from runtime.settings import KafkaSettings, StripeSettings
from stripe_sync.comparing import Comparing
from stripe_sync.hourly import Hourly
from stripe_sync.meters import list_meters
from stripe_sync.stripe_client import make_client
from stripe_sync.summaries import StripeSummaries
from tests.support.eventually import eventually_async

from .house import House


@pytest.fixture
async def told(house: House) -> AsyncIterator[tuple[Hourly, list[tuple[int, int | None]]]]:
    """The comparison of the house's shard, and what it tells: (shard, missing units)."""
    missing: list[tuple[int, int | None]] = []
    client = make_client(settings_of(StripeSettings, house.env))
    meters = {name: meter.id for name, meter in (await list_meters(client)).items()}
    kafka = settings_of(KafkaSettings, house.env)
    comparing = Comparing(
        kafka, house.topic, house.redis, SystemClock(), lambda shard, units: missing.append((shard, units))
    )
    await comparing.start()
    yield comparing.beside(house.shard, StripeSummaries(client, meters), meters), missing
    await comparing.stop()


async def test_what_stripe_lost_is_told_and_what_is_young_is_not(
    house: House, told: tuple[Hourly, list[tuple[int, int | None]]], caplog: pytest.LogCaptureFixture
) -> None:
    """One row is there, one is lost, one was delivered an hour ago: a hint, and the lost one is an alarm."""
    hourly, missing = told
    there, lost, young = house.row(), house.row(), house.row()
    await house.tell_stripe(there)
    for row, hours_ago in ((there, 6.0), (lost, 6.0), (young, 1.0)):
        house.deliver(row, hours_ago)
    await eventually_async(house.is_folded, what="the push log is folded")
    await leave_hint(house.shard, ALL_METERS)
    await hourly.look()
    assert missing == [(0, 100)]
    (alarm,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"customer {lost.customer}, meter sms.send" in alarm
    assert "100 units are missing" in alarm

    another_meter = next(mtr for mtr, name in hourly._names.items() if name == "voice.ai")
    await leave_hint(house.shard, another_meter)
    await hourly.look()
    assert missing == [(0, 100), (0, 100)], "one meter's comparison says nothing of the others"


async def test_nothing_is_asked_before_its_time(
    house: House, told: tuple[Hourly, list[tuple[int, int | None]]]
) -> None:
    """Neither the hour nor a hint."""
    hourly, missing = told
    await hourly.look()
    assert missing == []
