"""Rows that missed their cut-off are brought to the current period by the worker itself, or sent as they are."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ledger.pushes import read_parked
from metering.account import Account
from metering.outcome import ParkReason
from metering.push_fold import QUIET_MS
from metering.push_log import ReissueOrder, RetryOrder, decode
from metering.row import Row
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.reissuer import LOOK_SECONDS
from stripe_sync.shard.worker import Surroundings
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.crashes import Crash, work_until
from tests.stripe_sync.world import PACE, World, running
from tests.support.eventually import eventually_async

DAY = 24 * HOUR
ANCHOR = NOON + HOUR  # of each month: the period ends in an hour, and its invoice is final an hour later


@dataclass
class Missed:
    """A row that missed its cut-off and is parked, three hours and more ago."""

    world: World

    def orders(self) -> Counter[type]:
        """What the worker has ordered."""
        records = [decode(entry.value or b"") for entry in self.world.log.entries()]
        return Counter(type(each) for each in records if isinstance(each, ReissueOrder | RetryOrder))

    async def parked(self) -> list[Row]:
        """What waits."""
        return [entry.row for entry in (await read_parked(self.world.shard())).values()]

    async def billed_at(self) -> list[tuple[str, int, int]]:
        """Customer, timestamp and units at Stripe."""
        rows = self.world.double.store.connection.execute("SELECT customer, timestamp, value FROM meter_events")
        return list(rows.fetchall())

    async def looked(self, times: int = 2) -> None:
        """The worker has looked at what waits."""
        for _ in range(times):
            self.world.clock.advance(LOOK_SECONDS)
            turns = len(self.world.clock.slept) + 3
            await eventually_async(lambda turns=turns: is_true(lambda: len(self.world.clock.slept) >= turns))


async def is_true(condition: Callable[[], bool]) -> bool:
    """To be waited for."""
    return condition()


@pytest.fixture
async def missed(world: World) -> Missed:
    """Five units of the period's last hour, prepared in time, and not sent before its end."""
    await world.account("a", anchor=ANCHOR)
    world.counts.use("a", "sms.send", 5, NOON)
    await world.counts.fold()
    assert await work_until(world, Crash(1, "stripe POST"))
    world.clock.advance(2 * HOUR)
    async with running(world.worker()):
        await eventually_async(lambda: has_parked(world))
    (entry,) = (await read_parked(world.shard())).values()
    assert entry.reason is ParkReason.MISSED_CUTOFF
    world.clock.advance(QUIET_MS / 1000 + 120)
    world.reissues = True
    return Missed(world)


async def has_parked(world: World) -> bool:
    """Something waits."""
    return await world.parked() > 0


async def test_it_is_carried_into_the_current_period(missed: Missed) -> None:
    """Under a new identifier, once."""
    world = missed.world
    async with running(world.worker()):
        await eventually_async(lambda: settled(missed))
        await missed.looked()
    assert await missed.billed_at() == [(world.customers["a"], ANCHOR, 5)]
    assert missed.orders() == {ReissueOrder: 1}


async def settled(missed: Missed) -> bool:
    """Nothing waits, nothing is on its way."""
    return await missed.world.parked() == 0 and await missed.world.is_settled()


async def test_a_cut_off_that_moves_lets_the_same_row_be_sent(missed: Missed) -> None:
    """Stripe's grace was longer than the worker was told: the row is billed in its own period after all."""
    world = missed.world
    pace = Pace(push_interval=PACE.push_interval, grace=72 * HOUR)
    async with running(world.worker(pace=pace)):
        await eventually_async(lambda: settled(missed))
    assert await missed.billed_at() == [(world.customers["a"], NOON, 5)]
    assert missed.orders() == {RetryOrder: 1}


async def test_an_anchor_that_is_mended_lets_the_same_row_be_sent(missed: Missed) -> None:
    """The period ends a week later than the account's record said."""
    world = missed.world
    world.counts.map("a", Account(customer=world.customers["a"], anchor=ANCHOR + 7 * DAY))
    await world.counts.fold()
    async with running(world.worker()):
        await eventually_async(lambda: settled(missed))
    assert await missed.billed_at() == [(world.customers["a"], NOON, 5)]


async def test_a_customer_in_dispute_is_not_billed_by_a_reissue_either(missed: Missed) -> None:
    """Whose usage it is, nobody can tell; it goes on once the dispute is over."""
    world, disputed = missed.world, [True]
    surroundings = Surroundings(may_bill=lambda _account, _customer: not disputed)
    async with running(world.worker(surroundings=surroundings)):
        await missed.looked()
        assert (missed.orders(), len(await missed.parked())) == ({}, 1)
        disputed.clear()
        await eventually_async(lambda: settled(missed))
    assert await missed.billed_at() == [(world.customers["a"], ANCHOR, 5)]
