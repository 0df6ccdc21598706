"""Usage that nobody has thought of is told of, and billed like all other."""

import pytest

from metering.bucket import hour_of
from metering.row import bucket_key
from metering.troubles.names import Trouble
from stripe_sync.shard.breaches import TOLD_SECONDS, Breaches
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.planner import Planner
from tests.ledger_push.counts import HOUR, NOON
from tests.ledger_push.rows import IDENTITY
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.world import World


def bucket(account: str, hours: int = 0) -> str:
    """So many hours before noon."""
    return bucket_key(account, 0, hour_of(NOON) - hours)


@pytest.fixture
def clock() -> ManualClock:
    """At some moment."""
    return ManualClock(NOON * 1000)


def test_no_bound_is_the_default(clock: ManualClock) -> None:
    """Whatever comes."""
    assert Pace(5.0, 3600).alarm_units == 0
    breaches = Breaches(0, clock)
    breaches.see(bucket("a"), 10**18)
    assert breaches.findings(0) == []


def test_who_what_when_and_how_much_is_said(clock: ManualClock) -> None:
    """Beyond the bound, not at it; the latest count."""
    breaches = Breaches(100, clock)
    breaches.see(bucket("a"), 100)
    assert breaches.findings(3) == []
    breaches.see(bucket("a"), 101)
    breaches.see(bucket("a"), 250)
    (finding,) = breaches.findings(3)
    assert (finding.trouble, finding.shard) == (Trouble.UNITS_HIGH, 3)
    assert str(finding) == (
        "shard 3: 1 hours of usage of one account and meter are above 100 units, and are billed: "
        "account a, sms.send, 2026-06-20T12:00:00Z: 250 units"
    )


def test_the_largest_are_named(clock: ManualClock) -> None:
    """Three of them, and how many more there are."""
    breaches = Breaches(1, clock)
    for units in range(2, 9):
        breaches.see(bucket(f"a{units}"), units)
    (finding,) = breaches.findings(0)
    assert [part.split(",")[0] for part in finding.detail.split("; ")] == [
        "account a8",
        "account a7",
        "account a6",
        "and 4 more",
    ]


def test_it_is_said_for_a_day(clock: ManualClock) -> None:
    """From when the hour was last planned."""
    breaches = Breaches(1, clock)
    breaches.see(bucket("a"), 2)
    clock.advance(TOLD_SECONDS - 1)
    breaches.see(bucket("b"), 2)
    clock.advance(2)
    assert [finding.detail for finding in breaches.findings(0)] == [
        "account b, sms.send, 2026-06-20T12:00:00Z: 2 units"
    ]


async def test_the_planner_tells_and_plans_all_the_same(world: World) -> None:
    """The row goes out as ever."""
    world.counts.use("a", "sms.send", 500, NOON)
    world.counts.use("a", "sms.send", 5, NOON - HOUR)
    world.counts.map("a")
    await world.counts.fold()
    planner = Planner(world.shard(), IDENTITY, Pace(5.0, 3600, alarm_units=499), world.clock)
    prepared = await planner.plan()
    assert prepared is not None
    assert sorted(row.value for row in prepared.rows) == [5, 500]
    assert [finding.params["buckets"] for finding in planner.breaches.findings(0)] == [1]
