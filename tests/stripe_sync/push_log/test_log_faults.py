"""Appends that fail, or seem to: what is in the log counts, whenever it got there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from metering.account import Account
from metering.push_log import Prepared, Settled, decode
from stripe_sync.process.ownership import Ownership
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.calls import Intercept
from tests.stripe_sync.test_crashes import usage
from tests.stripe_sync.world import World
from tests.support.eventually import eventually_async

T = TypeVar("T")
PLACE = TopicPartition("stripe.pushes", 0)


@asynccontextmanager
async def kept_running(world: World, intercept: Intercept) -> AsyncIterator[Ownership]:
    """A shard's worker as the service runs it: started anew after every failure."""
    ownership = Ownership(lambda _: world.worker(intercept), lambda *_: None, world.clock)
    await ownership.on_partitions_assigned({PLACE})
    try:
        yield ownership
    finally:
        await ownership.release_all()
        assert not ownership.failed.done()


@dataclass
class Unreliable:
    """Appends of one `kind` time out, some times; what was to be appended floats, and may land late."""

    kind: type[Prepared] | type[Settled]
    times: int
    world: World
    floating: list[bytes] = field(default_factory=list)

    async def __call__(self, name: str, perform: Callable[[], Awaitable[T]]) -> T:
        """The append is made, and taken out of the log again: its bytes are on their way."""
        result = await perform()
        if name != "log append" or self.times == 0:
            return result
        entries = self.world.log.entries()
        value = entries[-1].value or b""
        if not isinstance(decode(value), self.kind):
            return result
        self.times -= 1
        self.world.log.truncate(0, len(entries) - 1)
        self.floating.append(value)
        raise KafkaTimeoutError

    def land(self) -> None:
        """All of it arrives."""
        while self.floating:
            self.world.log.land(0, self.floating.pop(0))


@pytest.mark.parametrize("kind", [Prepared, Settled])
@pytest.mark.parametrize("times", [1, 3])
async def test_an_append_that_is_lost_is_made_up_for(
    world: World, kind: type[Prepared] | type[Settled], times: int
) -> None:
    """Nothing was sent on a lost prepared; after a lost settled the rows are sent again, and refused as known."""
    await usage(world)
    fault = Unreliable(kind, times, world)
    async with kept_running(world, fault):
        await eventually_async(world.is_settled)
    assert len(fault.floating) == times
    world.assert_billed_exactly()


@pytest.mark.parametrize("hours", [0, 2, 25, 60])
@pytest.mark.parametrize("kind", [Prepared, Settled])
async def test_an_append_that_lands_late_changes_nothing(
    world: World, kind: type[Prepared] | type[Settled], hours: int
) -> None:
    """Its rows were planned, sent and settled by other records; it is read, and has lost."""
    await usage(world)
    fault = Unreliable(kind, 2, world)
    async with kept_running(world, fault):
        await eventually_async(world.is_settled)
        world.clock.advance(hours * HOUR)
        assert len(fault.floating) == 2
        fault.land()
        world.counts.use("a", "sms.send", 1, NOON)
        await world.counts.fold()
        await eventually_async(world.is_settled)
    world.assert_billed_exactly()
    assert await world.parked() == 0


async def test_a_plan_that_lands_before_the_next_one_wins(world: World) -> None:
    """It timed out, and the worker plans again from a larger count: the first in the log is sent, then the rest."""
    await usage(world)
    fault = Unreliable(Prepared, 1, world)

    async def lands(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        if name == "log append" and fault.floating:
            fault.land()
        return await fault(name, perform)

    async with kept_running(world, lands):
        await eventually_async(world.is_settled)
    world.assert_billed_exactly()


async def test_a_late_plan_with_another_customer_is_still_one_bill(world: World) -> None:
    """The account was mapped anew in between: whichever row is first in the log is the one that is sent."""
    await usage(world)
    old = world.customers["a"]
    fault = Unreliable(Prepared, 1, world)
    async with kept_running(world, fault):
        await eventually_async(lambda: floating(fault))
        fault.land()
        await world.account("a")
        await world.counts.fold()
        await eventually_async(world.is_settled)
    billed = world.double.billed()
    new = world.customers["a"]
    assert billed.get((old, "sms.send"), 0) + billed.get((new, "sms.send"), 0) == 7
    world.assert_bodies_frozen()
    assert Account(customer=new)


async def floating(fault: Unreliable) -> bool:
    """Something is on its way."""
    return bool(fault.floating)
