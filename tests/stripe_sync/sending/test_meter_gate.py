"""Somebody deactivates a meter for a moment: its rows wait, nothing is parked, and every other meter is billed."""

from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from ledger.notices import read_notices
from metering.alarms import Distances
from metering.troubles.names import Trouble
from stripe_sync.process.metrics import StripeSyncMetrics
from stripe_sync.sending.meter_gate import FORGOTTEN_SECONDS, REST_SECONDS, MeterGate
from stripe_sync.shard.worker import Surroundings
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.world import World, running
from tests.support.eventually import eventually_async

ACCOUNTS = [f"account-{number}" for number in range(20)]


@dataclass
class House:
    """Twenty accounts with text messages and calls."""

    world: World

    def worker(self) -> Surroundings:
        """A worker that tells its metrics."""
        return Surroundings(report=StripeSyncMetrics(CollectorRegistry(), self.world.clock, Distances()).shard)

    async def use(self, hour: int) -> None:
        """Usage of everybody."""
        for name in ACCOUNTS:
            self.world.counts.use(name, "sms.send", 3, NOON - hour * HOUR)
            self.world.counts.use(name, "voice.ai", 5, NOON - hour * HOUR)
        await self.world.counts.fold()

    def billed(self, meter: str) -> int:
        """Units at Stripe."""
        return sum(units for (_, name), units in self.world.double.billed().items() if name == meter)

    async def is_billed(self, meter: str, units: int) -> bool:
        """Exactly so many."""
        assert self.billed(meter) == units
        return True

    async def says(self, words: str) -> bool:
        """In the status."""
        said = await read_notices(self.world.shard())
        return any(each.trouble is Trouble.METER_ABSENT and words in each.detail for each in said)


@pytest.fixture
async def house(world: World) -> House:
    """Nothing used yet."""
    for name in ACCOUNTS:
        await world.account(name)
    return House(world)


async def test_rows_of_an_archived_meter_wait_until_it_is_back(house: House) -> None:
    """Not one is parked; voice goes on; Stripe is asked by one row every half minute; then all of it is billed."""
    world, meters = house.world, house.world.double.client().v1.billing.meters
    sms = world.double.meter_ids["sms.send"]
    await meters.deactivate_async(sms)
    await house.use(0)
    async with running(world.worker(surroundings=house.worker())):
        await eventually_async(lambda: house.says("sms.send (archived_meter: "))
        await eventually_async(lambda: house.is_billed("voice.ai", 100))
        await house.use(1)
        await eventually_async(lambda: house.is_billed("voice.ai", 200))
        calls = world.double.calls()
        for _ in range(3):
            world.clock.advance(REST_SECONDS)
            turns = len(world.clock.slept) + 3
            await eventually_async(lambda turns=turns: slept(world.clock, turns))
        assert 1 <= world.double.calls() - calls <= 4
        assert (house.billed("sms.send"), await world.parked()) == (0, 0)
        await meters.reactivate_async(sms)
        await eventually_async(world.is_settled)
        await eventually_async(lambda: says_nothing(world))
    world.assert_billed_exactly()


async def slept(clock: ManualClock, times: int) -> bool:
    """The worker has rested so often."""
    return len(clock.slept) >= times


async def says_nothing(world: World) -> bool:
    """Nothing needs a person."""
    return await read_notices(world.shard()) == []


class TestGate:
    """Which rows may try."""

    def test_one_row_tries_an_absent_meter_now_and_then(self) -> None:
        """Others of that meter wait; those of another do not."""
        clock = ManualClock()
        gate = MeterGate(clock)
        assert gate.lets("sms.send", "one")
        gate.refused("sms.send", "no_meter: none")
        assert (gate.lets("sms.send", "one"), gate.lets("voice.ai", "two")) == (False, True)
        assert (gate.is_absent("sms.send"), gate.is_absent("voice.ai")) == (True, False)
        clock.advance(REST_SECONDS)
        assert [gate.lets("sms.send", name) for name in ("one", "two", "one")] == [True, False, True]
        gate.refused("sms.send", "no_meter: none")
        assert not gate.lets("sms.send", "one")
        clock.advance(REST_SECONDS)
        assert gate.lets("sms.send", "two")
        gate.taken("sms.send")
        assert (gate.lets("sms.send", "one"), gate.sentence()) == (True, None)

    def test_a_meter_that_nothing_waits_for_is_forgotten(self) -> None:
        """Its last row was given up: nobody would ever find out that it is back."""
        clock = ManualClock()
        gate = MeterGate(clock)
        gate.refused("sms.send", "no_meter: none")
        said = gate.sentence()
        assert said is not None
        assert said.endswith("billing stripe setup, or reactivate it: sms.send (no_meter: none)")
        clock.advance(REST_SECONDS + FORGOTTEN_SECONDS)
        assert gate.sentence() is None
