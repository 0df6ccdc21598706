"""Rows that are too old to be sent blindly: Stripe's event summary decides."""

import asyncio

import pytest

from metering.outcome import ParkReason
from metering.push_log import Settled, decode
from metering.rfc3339 import from_unix
from stripe_sync.errors import StripeStoppedError
from stripe_sync.stripe_api.summaries import Presence, presence
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.crashes import Crash, work_until
from tests.stripe_sync.world import World, running
from tests.support.eventually import eventually_async

LATE = 25 * HOUR  # Stripe has forgotten the identifier


async def one_row(world: World, *, delivered: bool, base: int = 0) -> None:
    """A row of 5 units in flight that was sent, or not, before its worker died, a day and an hour ago.

    `base` units of the same bucket were billed before.
    """
    await world.account("a")
    if base:
        world.counts.use("a", "sms.send", base, NOON)
        await world.counts.fold()
        await world.bill()
    world.counts.use("a", "sms.send", 5, NOON)
    await world.counts.fold()
    assert await work_until(world, Crash(1, "stripe POST", after=delivered))
    world.clock.advance(LATE)


def summaries_asked(world: World) -> int:
    """How often a summary was asked for."""
    return sum(exchange.path.endswith("/event_summaries") for exchange in world.double.recorder.exchanges)


@pytest.mark.parametrize("base", [0, 5, 7])
@pytest.mark.parametrize("delivered", [False, True])
async def test_the_summary_decides(world: World, base: int, delivered: bool) -> None:
    """There: settled without another call. Not there: sent under its own identifier. The base makes the difference."""
    await one_row(world, delivered=delivered, base=base)
    calls = world.double.calls()
    await world.bill()
    world.assert_billed_exactly()
    assert summaries_asked(world) == 1
    assert world.double.calls() - calls == (0 if delivered else 1)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (10, Presence.ABSENT),
        (17, Presence.HELD),
        (12, Presence.UNDECIDABLE),
        (18, Presence.UNDECIDABLE),
    ],
)
def test_a_row_is_there_whole_or_not_at_all(held: int, expected: Presence) -> None:
    """Seven units beside ten."""
    assert presence(held, 10, 7) is expected


def test_a_row_that_a_double_can_not_tell_is_undecidable() -> None:
    """One unit beside 2**53: both sums are the same number."""
    assert presence(2**53, 2**53, 1) is Presence.UNDECIDABLE
    assert presence(2**53, 2**53, 5) is Presence.ABSENT
    assert presence(2**53 + 4, 2**53, 5) is Presence.HELD


async def test_a_broker_whose_clock_is_ahead_makes_no_row_younger(world: World) -> None:
    """Prepared by a broker six hours ahead; a day later Stripe has forgotten it, and its summary is asked."""
    await world.account("a")
    world.counts.use("a", "sms.send", 5, NOON)
    await world.counts.fold()
    world.log.ahead_ms = 6 * HOUR * 1000
    assert await work_until(world, Crash(1, "stripe POST", after=True))
    world.clock.advance(LATE)
    calls = world.double.calls()
    await world.bill()
    world.assert_billed_exactly()
    assert (summaries_asked(world), world.double.calls() - calls) == (1, 0)


async def test_a_summary_that_fits_neither_parks_the_row(world: World) -> None:
    """Somebody else told Stripe of usage in that minute: nobody can tell what it is made of."""
    await one_row(world, delivered=True)
    await world.double.client().v2.billing.meter_events.create_async(
        {
            "event_name": "sms.send",
            "payload": {"stripe_customer_id": world.customers["a"], "value": "2"},
            "timestamp": from_unix(NOON),
        }
    )
    await world.bill()
    assert await world.parked() == 5
    assert last_settled(world).settlements[0].parked is ParkReason.UNDECIDABLE


async def test_a_row_whose_summary_can_never_be_had_is_parked(world: World) -> None:
    """The customer is gone: a person must see it, instead of a row that asks for ever."""
    await one_row(world, delivered=False)
    await world.double.client().v1.customers.delete_async(world.customers["a"])
    world.double.store.connection.execute("DELETE FROM objects WHERE id = ?", (world.customers["a"],))
    await world.bill()
    assert await world.parked() == 5
    assert last_settled(world).settlements[0].parked is ParkReason.UNDECIDABLE


async def test_a_key_that_may_not_read_summaries_stops_the_worker(world: World) -> None:
    """It is not taken for an answer, nor asked again for ever."""
    await one_row(world, delivered=True)
    with pytest.raises(StripeStoppedError):
        await asyncio.wait_for(world.worker(key="nonsense").run(), 5)


def last_settled(world: World) -> Settled:
    """The last record of the log."""
    record = decode(world.log.entries()[-1].value or b"")
    assert isinstance(record, Settled)
    return record


async def test_a_slow_second_worker_does_not_take_the_row_for_missing(world: World) -> None:
    """Two workers find the same old row, which Stripe has. One settles it while the other waits for its turn.

    Then the row's own units are among what Stripe has accepted: taken for the base, they would say that the row is
    not there, and it would be billed twice.
    """
    await one_row(world, delivered=True)
    turn = asyncio.Event()
    waiting = asyncio.Event()

    async def wait_for_turn() -> None:
        waiting.set()
        await turn.wait()

    async with running(world.worker(admit=wait_for_turn)) as slow:
        await waiting.wait()
        await world.bill()
        before = world.clock.now_ms()
        turn.set()
        await eventually_async(lambda: looked_again(world, before))
        assert not slow.done()
    world.assert_billed_exactly()
    assert world.double.calls() == 1


async def looked_again(world: World, before_ms: int) -> bool:
    """A minute went by since."""
    return world.clock.now_ms() >= before_ms + 60_000


@pytest.mark.parametrize("delivered", [False, True])
async def test_a_row_whose_period_is_over_is_parked_unless_stripe_has_it(world: World, delivered: bool) -> None:
    """Missed while in flight: what the summary finds is settled, the rest waits for a person."""
    await one_row(world, delivered=delivered)
    world.clock.advance(11 * 24 * HOUR)  # July: June is final
    await world.bill()
    assert await world.parked() == (0 if delivered else 5)
    if not delivered:
        assert last_settled(world).settlements[0].parked is ParkReason.MISSED_CUTOFF
        assert world.double.billed() == {}
