"""Which rows come next, and when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ledger.push_fold import fold_push
from ledger.reading import NotReadyError
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from metering.account import Account
from metering.bucket import hour_of
from metering.push_log import MAX_ROWS, Prepared, Settled, Settlement
from metering.row import MAX_VALUE, Row
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.planner import Planner
from stripe_sync.shard.sweep import DueState
from tests.ledger_push.counts import HOUR, MAPPED, NOON, Counts
from tests.ledger_push.rows import IDENTITY, delivered, parked
from tests.ledger_push.rows import row as a_row
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.world import World

DAY = 24 * HOUR
GRACE = 3600
INTERVAL = 300.0


class Planning:
    """A planner, and the log's fold of what it planned."""

    def __init__(self, shard: Shard, counts: Counts, clock: ManualClock) -> None:
        self.shard, self.counts, self.clock = shard, counts, clock
        self.planner = Planner(shard, IDENTITY, Pace(INTERVAL, GRACE), clock)

    async def plan(self) -> tuple[Row, ...]:
        """The next record's rows; none without one. It never takes long."""
        async with asyncio.timeout(5):
            prepared = await self.planner.plan()
        return prepared.rows if prepared else ()

    async def fold(self, record: Prepared | Settled) -> None:
        """Folds a record where the shard stands."""
        offset = (await read_state(self.shard)).fences[Log.PUSHES]
        assert (await fold_push(self.shard, record, offset, self.clock.now_ms())).applied

    async def plan_and_fold(self) -> tuple[Row, ...]:
        """Plans; the rows are in flight then."""
        rows = await self.plan()
        if rows:
            await self.fold(Prepared(identity=IDENTITY, usage_fence=0, rows=rows))
        return rows

    async def sweep(self) -> list[Row]:
        """Everything that is planned before the planner rests."""
        rows: list[Row] = []
        while new := await self.plan_and_fold():
            rows += new
        return rows


@pytest.fixture
async def planning(world: World) -> AsyncIterator[Planning]:
    """On an empty shard that is ready, with an empty push log."""
    await world.counts.fold()
    await open_shard(world.shard(), Log.PUSHES, earliest=0, incarnation="first")
    return Planning(world.shard(), world.counts, world.clock)


def units(rows: tuple[Row, ...] | list[Row]) -> list[tuple[str, str, int, int]]:
    """What the rows tell: account, meter, hours before noon, units."""
    return [(row.account, row.meter, hour_of(NOON) - row.hour, row.value) for row in rows]


async def test_a_row_is_what_was_counted_and_not_claimed(planning: Planning) -> None:
    """Frozen with the account's customer and the bucket's start; then the difference."""
    planning.counts.use("a", "voice.ai", 7, NOON - 90)
    planning.counts.map("a", MAPPED)
    await planning.counts.fold()
    (first,) = await planning.sweep()
    assert first == Row(
        account="a",
        meter="voice.ai",
        hour=hour_of(NOON) - 1,
        start=0,
        end=7,
        customer="cus_1",
        timestamp=NOON - HOUR,
    )
    await planning.fold(delivered(first))
    planning.counts.use("a", "voice.ai", 2, NOON - 90)
    await planning.counts.fold()
    planning.clock.advance(INTERVAL)
    (second,) = await planning.sweep()
    assert (second.start, second.end) == (7, 9)


async def test_a_bucket_of_more_than_stripe_takes_at_once_is_several_rows(planning: Planning, world: World) -> None:
    """One after the other, each from where the last ended; the rest does not wait for another interval."""
    planning.counts.use("a", "sms.send", 5, NOON)
    planning.counts.map("a")
    await planning.counts.fold()
    await world.count_more("a", "sms.send", 2 * MAX_VALUE)
    planned = list[Row]()
    for _ in range(3):
        (row,) = await planning.plan_and_fold()
        assert await planning.plan() == ()
        await planning.fold(delivered(row))
        planned.append(row)
    assert await planning.plan() == ()
    assert [(row.start, row.end) for row in planned] == [
        (0, MAX_VALUE),
        (MAX_VALUE, 2 * MAX_VALUE),
        (2 * MAX_VALUE, 2 * MAX_VALUE + 5),
    ]
    assert len({row.minute_key for row in planned}) == 1
    assert len({row.identifier("tests") for row in planned}) == 3
    assert planning.clock.slept == []


async def test_a_record_names_the_stripe_and_the_count_that_it_was_planned_on(planning: Planning) -> None:
    """So that no fold is behind it, and no other account is billed."""
    for _ in range(3):
        planning.counts.use("a", "sms.send", 1, NOON)
    planning.counts.map("a")
    await planning.counts.fold()
    prepared = await planning.planner.plan()
    assert prepared is not None
    assert (prepared.identity, prepared.usage_fence) == (IDENTITY, 3)


async def test_the_oldest_buckets_go_first_a_hundred_at_a_time(planning: Planning) -> None:
    """A sweep is as many records as it takes."""
    planning.counts.map("a")
    for hour in range(MAX_ROWS * 2 + 30):
        planning.counts.use("a", "sms.send", 1, NOON - hour * HOUR)
    await planning.counts.fold()
    sizes, rows = [], list[Row]()
    while new := await planning.plan_and_fold():
        sizes.append(len(new))
        rows += new
    assert sizes == [MAX_ROWS, MAX_ROWS, 30]
    assert [row.hour for row in rows] == sorted(row.hour for row in rows)


async def test_a_bucket_is_pushed_once_an_interval_however_it_grows(planning: Planning) -> None:
    """What is counted in an hour that the sweep has been to, or before the next may begin, waits for the next."""
    planning.counts.map("a")
    for hour in range(MAX_ROWS + 1):
        planning.counts.use("a", "sms.send", 1, NOON - hour * HOUR)
    await planning.counts.fold()
    first = await planning.plan_and_fold()
    await planning.fold(delivered(*first))
    planning.counts.use("a", "sms.send", 1, NOON - MAX_ROWS * HOUR)
    planning.counts.use("b", "sms.send", 1, NOON)
    planning.counts.map("b", Account(customer="cus_2"))
    await planning.counts.fold()
    assert units(await planning.sweep()) == [("a", "sms.send", 0, 1), ("b", "sms.send", 0, 1)]

    planning.clock.advance(INTERVAL - 1)
    assert planning.planner.seconds_to_sweep() == 1.0
    assert await planning.plan() == ()
    planning.clock.advance(1)
    assert planning.planner.seconds_to_sweep() == 0.0
    assert units(await planning.sweep()) == [("a", "sms.send", MAX_ROWS, 1)]


async def test_without_a_customer_usage_waits(planning: Planning) -> None:
    """It goes out in the sweep after the account was mapped."""
    planning.counts.use("a", "sms.send", 4, NOON - 3 * HOUR)
    await planning.counts.fold()
    assert await planning.sweep() == []
    planning.counts.map("a")
    await planning.counts.fold()
    planning.clock.advance(INTERVAL)
    assert units(await planning.sweep()) == [("a", "sms.send", 3, 4)]


async def test_usage_before_the_subscription_is_never_planned(planning: Planning) -> None:
    """The bucket that contains the start takes its second; what ended before is only counted."""
    start = NOON - 90 * 60
    planning.counts.map("a", Account(customer="cus_1", subscription_start=start))
    for hour in range(4):
        planning.counts.use("a", "sms.send", 1, NOON - hour * HOUR)
    await planning.counts.fold()
    rows = await planning.sweep()
    assert [(row.hour - hour_of(NOON), row.timestamp) for row in rows] == [(-2, start), (-1, NOON - HOUR), (0, NOON)]
    planning.clock.advance(40 * DAY)
    assert await planning.sweep() == []


async def test_a_bucket_waits_until_its_time_has_come(planning: Planning) -> None:
    """Stripe takes no usage of the future: events may be five minutes early, rows may not."""
    planning.clock.advance(HOUR - 100)
    planning.counts.map("a")
    planning.counts.use("a", "sms.send", 1, NOON + HOUR + 100)
    await planning.counts.fold()
    assert await planning.sweep() == []
    planning.clock.advance(INTERVAL)
    assert units(await planning.sweep()) == [("a", "sms.send", -1, 1)]


async def test_a_shard_that_is_not_ready_plans_nothing_and_begins_anew(planning: Planning, world: World) -> None:
    """And once it is ready it does not wait for another interval."""
    planning.counts.map("a")
    for hour in range(MAX_ROWS + 5):
        planning.counts.use("a", "sms.send", 1, NOON - hour * HOUR)
    await planning.counts.fold()
    assert len(await planning.plan_and_fold()) == MAX_ROWS
    await world.redis.hdel(world.shard().keys.fences, "ready")
    for _ in range(3):
        with pytest.raises(NotReadyError):
            await planning.plan()
    planning.counts.use("a", "voice.ai", 1, NOON)
    await planning.counts.fold()
    assert len(await planning.sweep()) == 6


@pytest.mark.parametrize("settle", [None, parked], ids=["in flight", "parked"])
async def test_a_held_bucket_is_passed_over(planning: Planning, settle: Callable[[Row], Settled] | None) -> None:
    """Its other units wait for the row that holds it; other buckets do not, in this sweep and the next."""
    planning.counts.map("a")
    planning.counts.use("a", "sms.send", 1, NOON)
    await planning.counts.fold()
    (first,) = await planning.sweep()
    if settle:
        await planning.fold(settle(first))
    for round_number in range(3):
        planning.counts.use("a", "sms.send", 1, NOON)
        planning.counts.use("a", "sms.send", 1, NOON - (1 + round_number) * HOUR)
        await planning.counts.fold()
        planning.clock.advance(INTERVAL)
        assert units(await planning.sweep()) == [("a", "sms.send", 1 + round_number, 1)]


async def late_usage(planning: Planning) -> None:
    """Three buckets of May, counted in June, after their period's invoice was final; and one of June."""
    planning.clock.set_wall(-13 * DAY)  # 7 June
    for hour in range(3):
        planning.counts.use("a", "sms.send", 1 + hour, NOON - 20 * DAY - 12 * HOUR - hour * HOUR)
    planning.counts.use("a", "sms.send", 9, NOON - 14 * DAY)
    planning.counts.map("a")
    await planning.counts.fold()


JUNE = NOON - 12 * HOUR - 19 * DAY


async def test_what_missed_its_period_is_carried_into_the_current_one(planning: Planning) -> None:
    """Stamped with the current period's start, and marked; usage of the period itself keeps its time."""
    await late_usage(planning)
    rows = await planning.plan_and_fold()
    assert [(row.timestamp, row.carried, row.value) for row in rows] == [
        (JUNE, True, 3),
        (NOON - 14 * DAY, False, 9),
    ]


async def test_carried_rows_go_one_minute_at_a_time_and_never_hang_the_planner(planning: Planning) -> None:
    """They share the period's first minute: the next follows once the one before is settled, without a long wait.

    Meanwhile nothing is planned for them, and everything else is.
    """
    await late_usage(planning)
    first, _ = await planning.plan_and_fold()
    for _ in range(3):
        assert await planning.plan() == ()
    planning.counts.use("b", "sms.send", 1, NOON - 14 * DAY)
    planning.counts.map("b", Account(customer="cus_2"))
    await planning.counts.fold()
    planning.clock.advance(INTERVAL)
    assert units(await planning.plan_and_fold()) == [("b", "sms.send", 14 * 24, 1)]

    carried = [first]
    for _ in range(2):
        await planning.fold(Settled(settlements=(Settlement(identifier=carried[-1].identifier("tests")),)))
        carried += await planning.plan_and_fold()
        assert await planning.plan() == ()
    assert [(row.timestamp, row.value) for row in carried] == [(JUNE, 3), (JUNE, 2), (JUNE, 1)]


async def test_rows_of_records_that_are_not_folded_yet_hold_their_minutes(planning: Planning) -> None:
    """Several records are planned in one turn: a row that would lose to one of them is not planned."""
    await late_usage(planning)
    held = set[str]()
    prepared = await planning.planner.plan(held)
    assert prepared is not None
    assert held == {key for row in prepared.rows for key in (row.bucket_key, row.minute_key)}
    assert await planning.planner.plan(held) is None


async def test_a_parked_row_that_holds_a_minute_stops_nobody_else(planning: Planning) -> None:
    """For ever: sweep after sweep begins in time."""
    await late_usage(planning)
    first, other = await planning.plan_and_fold()
    await planning.fold(parked(first))
    await planning.fold(delivered(other))
    for sweep in range(1, 4):
        planning.counts.use("a", "voice.ai", sweep, NOON - 14 * DAY)
        await planning.counts.fold()
        planning.clock.advance(INTERVAL)
        rows = await planning.sweep()
        assert units(rows) == [("a", "voice.ai", 14 * 24, sweep)]
        await planning.fold(delivered(*rows))


async def test_accounts_of_one_customer_never_share_a_minute_in_flight(planning: Planning) -> None:
    """A summary could not tell them apart."""
    for account in ("a", "b"):
        planning.counts.map(account)
        planning.counts.use(account, "sms.send", 1, NOON)
    await planning.counts.fold()
    (first,) = await planning.sweep()
    await planning.fold(delivered(first))
    (second,) = await planning.sweep()
    assert {first.account, second.account} == {"a", "b"}


async def test_a_customer_that_changes_is_taken_by_the_next_row(planning: Planning) -> None:
    """Rows in flight keep theirs."""
    planning.counts.use("a", "sms.send", 1, NOON)
    planning.counts.map("a")
    await planning.counts.fold()
    (first,) = await planning.sweep()
    planning.counts.map("a", Account(customer="cus_2"))
    planning.counts.use("a", "sms.send", 1, NOON - HOUR)
    await planning.counts.fold()
    planning.clock.advance(INTERVAL)
    (second,) = await planning.sweep()
    assert (first.customer, second.customer) == ("cus_1", "cus_2")


async def test_a_bucket_that_another_worker_claimed_meanwhile_is_passed_over(planning: Planning) -> None:
    """It was listed when the sweep began; nothing is due of it any more."""
    planning.counts.map("a")
    for hour in range(MAX_ROWS + 1):
        planning.counts.use("a", "sms.send", 1, NOON - hour * HOUR)
    await planning.counts.fold()
    await planning.plan_and_fold()
    last = a_row(0, 1)
    await planning.fold(Prepared(identity=IDENTITY, usage_fence=0, rows=(last,)))
    await planning.fold(delivered(last))
    assert await planning.sweep() == []


async def test_units_that_expired_are_not_planned(planning: Planning, world: World) -> None:
    """Due, but the counts behind it are gone: nobody can tell from where to where the row would go."""
    planning.counts.map("a")
    planning.counts.use("a", "sms.send", 5, NOON)
    await planning.counts.fold()
    await world.redis.delete(world.shard().keys.hours("a", NOON // DAY))
    assert await planning.sweep() == []


async def test_what_no_row_can_be_made_of_is_left_due_and_ends_nothing(
    planning: Planning, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A meter of a newer version, an account's record that can't be read, a counter that is no number.

    Each is named, and logged once; all others are planned, and so is it once it can be.
    """
    for account in ("a", "b", "c", "d"):
        planning.counts.map(account, Account(customer=f"cus_{account}"))
        planning.counts.use(account, "sms.send", 1, NOON)
    await planning.counts.fold()
    keys, hour = world.shard().keys, NOON // HOUR
    await world.redis.zadd(keys.due_order, {f"b|99|{hour}": hour})
    await world.redis.hset(keys.due, f"b|99|{hour}", "5")
    await world.redis.hset(keys.hours("b", hour // 24), str(99 * 24 + hour % 24), "5")
    await world.redis.hset(keys.accounts, "c", b'{"customer":["of another version"]}')
    await world.redis.hset(keys.hours("d", hour // 24), str(hour % 24), "1e+17")
    for _ in range(2):
        planned = await planning.sweep()
        assert [(row.account, row.meter) for row in planned] in ([("a", "sms.send"), ("b", "sms.send")], [])
        planning.clock.advance(INTERVAL)
    assert len(planning.planner.troubles) == 3
    said = str(planning.planner.troubles)
    assert all(bucket in said for bucket in (f"b|99|{hour}", f"c|0|{hour}", f"d|0|{hour}"))
    assert planning.planner.last_sweep.units[DueState.UNPLANNABLE] == 5
    assert [record.levelname for record in caplog.records].count("ERROR") == 3

    await world.redis.hset(keys.accounts, "c", Account(customer="cus_c").to_json())
    await world.redis.hset(keys.hours("d", hour // 24), str(hour % 24), "1")
    await world.redis.zrem(keys.due_order, f"b|99|{hour}")
    assert [row.account for row in await planning.sweep()] == ["c", "d"]
    assert len(planning.planner.troubles) == 0


async def test_the_planner_asks_redis_once_a_page(planning: Planning, world: World) -> None:
    """Waiting buckets cost a sweep two calls for every hundred and one an hour, and nothing between two sweeps."""
    for number in range(2 * MAX_ROWS + 1):
        planning.counts.use(f"account-{number}", "sms.send", 1, NOON)
        planning.counts.map(f"account-{number}")
    await planning.counts.fold()
    calls: list[str] = []

    async def note(name: str, perform: Callable[[], Awaitable[object]]) -> object:
        calls.append(name)
        return await perform()

    planner = Planner(
        world.shard(note),  # type: ignore[arg-type]
        IDENTITY,
        Pace(INTERVAL, GRACE),
        planning.clock,
        may_bill=lambda _account, _customer: False,
    )
    for _ in range(5):
        assert await planner.plan() is None
    page = ["redis quote_due", "redis read_held"]
    assert calls == ["redis find_changed", "redis list_due", *page, *page, "redis list_due", *page]
