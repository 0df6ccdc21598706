"""Accepted is not billed: sums of the push log against Stripe's summaries."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from ledger.accepted import Lane
from ledger.hints import ALL_METERS, leave_hint
from metering.outcome import ParkReason
from metering.push_fold import QUIET_MS
from metering.push_log import Prepared, Settled, Settlement, encode
from metering.row import MAX_VALUE, Row
from stripe_sync.push_log.deliveries import Deliveries
from stripe_sync.push_log.history import Tail
from stripe_sync.reconcile.difference import Difference, DifferenceReason, Slot, judge
from stripe_sync.reconcile.hourly import AGAIN_SECONDS, EVERY_METER, EVERY_SECONDS, Accompanied, Hourly
from stripe_sync.reconcile.lane import LaneComparison
from stripe_sync.reconcile.shard import Findings, ShardComparison
from stripe_sync.stripe_api.summaries import StripeSummaries
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.double import known
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.memory_log import MemoryPushLog
from tests.stripe_sync.reconcile.subscribing import all_covered
from tests.stripe_sync.world import IDENTITY, World, at_once, running
from tests.support.eventually import eventually_async

DAY = 24 * HOUR
LANE = Lane("cus_1", "sms.send")
FRESH, FLYING, PARKED, UNKNOWN = (
    DifferenceReason.TOO_FRESH,
    DifferenceReason.IN_FLIGHT,
    DifferenceReason.PARKED,
    DifferenceReason.UNKNOWN,
)


@pytest.mark.parametrize(
    ("slot", "held", "expected"),
    [
        (Slot(100), 100, ()),
        (Slot(), 0, ()),
        (Slot(100), 99, (UNKNOWN,)),
        (Slot(100), 101, (UNKNOWN,)),
        (Slot(100, fresh=30), 70, (FRESH,)),
        (Slot(100, fresh=30), 85, (FRESH,)),
        (Slot(100, fresh=30), 69, (UNKNOWN,)),
        (Slot(100, in_flight=20), 120, (FLYING,)),
        (Slot(100, in_flight=20), 110, (UNKNOWN,)),
        (Slot(100, parked=20), 120, (PARKED,)),
        (Slot(100, in_flight=20, fresh=30), 95, (FRESH,)),
        (Slot(100, in_flight=20, fresh=10), 115, (FLYING, FRESH)),
        (Slot(0, parked=20), 20, (PARKED,)),
        (Slot(0), 5, (UNKNOWN,)),
        (Slot(2**53 + 1), 2**53, ()),
        (Slot(2**53 + 1, in_flight=2), 2**53 + 4, (FLYING,)),
        (Slot(2**53 + 1), 2**53 + 2, (UNKNOWN,)),
    ],
)
def test_what_a_difference_means(slot: Slot, held: int, expected: tuple[DifferenceReason, ...]) -> None:
    """A row in flight or parked is at Stripe whole or not at all; of what is fresh any part may be shown.

    Summaries are JSON numbers: from 2**53 on they tell even sums only.
    """
    assert judge(slot, held) == expected


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 150))
def test_missing_units_are_never_explained(accepted: int, fresh: int, held: int) -> None:
    """What Stripe must have by now and has not is a shortage that nothing explains."""
    slot = Slot(accepted, min(accepted, fresh))
    difference = Difference(LANE, 0, 60, slot, held, judge(slot, held))
    assert not (difference.missing and difference.explained)
    assert difference.missing == max(0, accepted - slot.fresh - held)


@dataclass
class Told:
    """Summaries as they are told, by minute; `asked` counts questions by kind."""

    units: dict[int, int]
    asked: list[str] = field(default_factory=list)

    async def total(self, customer: str, meter: str, start: int, end: int) -> int:
        """A sum."""
        self.asked.append("minute")
        return sum(units for at, units in self.units.items() if start <= at < end)

    async def windows(
        self, customer: str, meter: str, start: int, end: int, window: Literal["hour", "day"]
    ) -> dict[int, int]:
        """Sums by window, as Stripe gives them: those with units."""
        self.asked.append(window)
        length = {"hour": HOUR, "day": DAY}[window]
        assert start % length == end % length == 0
        sums: dict[int, int] = {}
        for at, units in self.units.items():
            if start <= at < end:
                sums[at // length * length] = sums.get(at // length * length, 0) + units
        return sums


class TestQuestions:
    """How few of them tell what differs, and where."""

    month = range(NOON - 30 * DAY, NOON, HOUR)

    async def _differences(self, told: Told, slots: Mapping[int, Slot]) -> list[Difference]:
        start, end = (NOON - 30 * DAY) // DAY * DAY, NOON // DAY * DAY + DAY
        return await LaneComparison(told, at_once).differences(LANE, slots, start, end)

    async def test_equal_sums_cost_one_question(self) -> None:
        """A month of 720 hours."""
        told = Told(dict.fromkeys(self.month, 5))
        assert await self._differences(told, dict.fromkeys(self.month, Slot(5))) == []
        assert told.asked == ["day"]

    async def test_a_shortage_is_found_by_day_hour_and_minute(self) -> None:
        """One hour of 720 lacks units: it is named exactly, after three questions."""
        short = NOON - 9 * DAY
        told = Told(dict.fromkeys(self.month, 5) | {short: 3})
        (found,) = await self._differences(told, dict.fromkeys(self.month, Slot(5)))
        assert (found.start, found.seconds, found.held, found.missing) == (short, 60, 3, 2)
        assert found.explanations == (UNKNOWN,)
        assert told.asked == ["day", "hour", "minute"]

    async def test_two_minutes_of_one_hour_are_told_apart(self) -> None:
        """The bucket that contains the subscription start has a minute of its own."""
        slots = {NOON: Slot(5), NOON + 1260: Slot(7)}
        (found,) = await self._differences(Told({NOON: 5, NOON + 1260: 6}), slots)
        assert (found.start, found.slot.accepted, found.held) == (NOON + 1260, 7, 6)

    async def test_what_no_row_of_ours_brought_is_named_too(self) -> None:
        """Somebody else sends events of this customer: how many, and in which hour."""
        told = Told({NOON: 5, NOON + 600: 4, NOON - DAY: 9})
        found = await self._differences(told, {NOON: Slot(5)})
        assert [(each.start, each.seconds, each.held, each.explained) for each in found] == [
            (NOON - DAY, 3600, 9, False),
            (NOON, 3600, 4, False),
        ]

    async def test_what_is_too_fresh_costs_no_question_by_minute(self) -> None:
        """Today nearly always differs: its hours are asked for, and no more."""
        told = Told({NOON: 5})
        (found,) = await self._differences(told, {NOON: Slot(8, fresh=4)})
        assert found.explanations == (FRESH,)
        assert told.asked == ["day", "hour"]

    async def test_a_range_may_begin_and_end_at_any_hour(self) -> None:
        """The days within it are asked for by day, its edges by hour."""
        told = Told(dict.fromkeys(self.month, 5))
        start, end = NOON - 3 * DAY, NOON - 5 * HOUR
        slots = {at: Slot(5) for at in self.month if start <= at < end}
        assert await LaneComparison(told, at_once).differences(LANE, slots, start, end) == []
        assert told.asked == ["hour", "day", "hour"]
        assert await LaneComparison(told, at_once).differences(LANE, slots, NOON - 7 * HOUR, end) == []


def a_row(hour: int = 0, end: int = 5, start: int = 0) -> Row:
    """A row of so many hours before noon."""
    time = NOON - hour * HOUR
    return Row(account="a", meter="sms.send", hour=time // HOUR, start=start, end=end, customer="cus_1", timestamp=time)


def prepared(*rows: Row) -> Prepared:
    """A record."""
    return Prepared(identity=IDENTITY, usage_fence=0, rows=rows)


def settled(row: Row, parked: ParkReason | None = None) -> Settled:
    """A record."""
    return Settled(settlements=(Settlement(identifier=row.identifier("tests"), parked=parked),))


class TestDeliveries:
    """Which units are young."""

    def test_the_settling_counts_and_counts_once(self) -> None:
        """Prepared long ago and delivered now is young; delivered before is not; two workers settle the same row."""
        old, young, twice = a_row(1), a_row(2), a_row(3)
        deliveries = Deliveries(since_ms=100)
        deliveries.take(prepared(old, young, twice), 1)
        deliveries.take(settled(old), 99)
        for row in (young, twice, twice):
            deliveries.take(settled(row), 100)
        assert deliveries.units == {(LANE, young.timestamp): 5, (LANE, twice.timestamp): 5}
        assert not deliveries.strangers

    def test_a_parked_row_is_not_delivered_until_it_is(self) -> None:
        """Parked, retried, delivered."""
        row = a_row()
        deliveries = Deliveries(since_ms=0)
        deliveries.take(prepared(row), 1)
        deliveries.take(settled(row, ParkReason.NO_METER), 2)
        assert not deliveries.units
        deliveries.take(settled(row), 3)
        assert deliveries.units.total() == 5

    def test_a_row_that_was_prepared_before_is_a_stranger(self) -> None:
        """One must begin to read earlier."""
        deliveries = Deliveries(since_ms=0)
        deliveries.take(settled(a_row()), 3)
        assert deliveries.strangers == {a_row().identifier("tests")}


class MemoryHistory(MemoryPushLog):
    """The log in memory, and where a time is in it; `reads` is where each reading began."""

    reads: list[int]

    async def offset_at(self, shard: int, time_ms: int) -> int | None:
        """By looking at each record."""
        found = next((entry.offset for entry in self.entries(shard) if entry.append_ms >= time_ms), None)
        self.reads.append(-1 if found is None else found)
        return found


@pytest.mark.parametrize(("minutes", "readings"), [(10, 1), (20 * 60, 2), (60 * 60, 2)])
async def test_the_tail_begins_where_its_rows_were_prepared(minutes: int, readings: int) -> None:
    """An hour back, else a day back, else at the beginning."""
    clock = ManualClock()
    log = MemoryHistory(clock)
    log.reads = []
    for at in range(3):
        log.land(0, encode(prepared(a_row(20 + at))))
        log.land(0, encode(settled(a_row(20 + at))))
        clock.advance(40 * HOUR)
    log.land(0, encode(prepared(a_row())))
    clock.advance(minutes * 60)
    since = clock.now_ms()
    log.land(0, encode(settled(a_row())))
    tail = Tail(log, 0, since)
    await tail.open()
    assert tail.deliveries.units == {(LANE, NOON): 5}
    assert len(log.reads) == readings
    log.land(0, encode(prepared(a_row(1))))
    log.land(0, encode(settled(a_row(1))))
    await tail.advance()
    assert tail.deliveries.units.total() == 10


@pytest.fixture
async def billed(world: World) -> World:
    """An account whose usage of three hours Stripe has accepted, at noon."""
    await world.account("acme")
    for hour in range(3):
        world.counts.use("acme", "sms.send", 10 + hour, NOON - hour * HOUR)
    world.counts.use("acme", "voice.ai", 4, NOON)
    await world.counts.fold()
    await world.bill()
    return world


def comparison_of(world: World) -> ShardComparison:
    """The worker's, on the double's summaries."""
    log = MemoryHistory(world.clock)
    log._entries, log.reads = world.log._entries, []
    summaries = StripeSummaries(world.double.client(), known(world.double.meter_ids))
    covered = all_covered(world.double.meter_ids, world.clock)
    return ShardComparison(world.shard(), log, LaneComparison(summaries, at_once), world.clock, covered)


def lose(world: World, customer: str, meter: str, timestamp: int, value: int = 0) -> None:
    """Stripe forgets what it has accepted, of at least that value: events that its meter never counted."""
    world.double.store.connection.execute(
        "DELETE FROM meter_events WHERE customer = ? AND meter = ? AND timestamp = ? AND value >= ?",
        (customer, world.double.meter_ids[meter], timestamp, value),
    )


class TestShard:
    """A whole shard against the double."""

    meters = frozenset({"sms.send", "voice.ai"})

    async def test_what_stripe_has_is_found_to_be_there(self, billed: World) -> None:
        """Two lanes, nothing missing, now and hours later."""
        for seconds in (0, QUIET_MS // 1000 + 60):
            billed.clock.advance(seconds)
            assert await comparison_of(billed).run(self.meters) == Findings(lanes=2)

    async def test_a_minute_of_many_large_rows_is_found_to_be_there(self, billed: World) -> None:
        """One after the other, under one timestamp; and those that are lost are missed."""
        await billed.count_more("acme", "sms.send", 10 * MAX_VALUE + 2)
        await billed.bill()
        billed.clock.advance(QUIET_MS // 1000 + 60)
        assert await comparison_of(billed).run(self.meters) == Findings(lanes=2)
        lose(billed, billed.customers["acme"], "sms.send", NOON, value=MAX_VALUE)
        (found,) = (await comparison_of(billed).run(self.meters)).missing
        assert found.missing > 9 * MAX_VALUE

    async def test_a_shortage_is_named_once_it_is_three_hours_old(self, billed: World) -> None:
        """Before that, summaries may simply lag."""
        customer = billed.customers["acme"]
        lose(billed, customer, "sms.send", NOON - HOUR)
        assert (await comparison_of(billed).run(self.meters)).missing == []
        billed.clock.advance(QUIET_MS // 1000 + 60)
        (found,) = (await comparison_of(billed).run(self.meters)).missing
        assert (found.lane, found.start, found.missing) == (Lane(customer, "sms.send"), NOON - HOUR, 11)
        assert str(found).startswith(f"customer {customer}, meter sms.send, 2026-06-20T11:00:00Z: ")

    async def test_only_the_meters_that_are_meant_are_asked_about(self, billed: World) -> None:
        """A hint names one."""
        assert (await comparison_of(billed).run({"voice.ai"})).lanes == 1

    async def test_a_customer_that_stripe_does_not_know_is_told_and_the_others_are_compared(
        self, billed: World
    ) -> None:
        """Stripe's refusal is of that customer and meter only."""
        customer = billed.customers["acme"]
        billed.double.store.connection.execute("DELETE FROM objects WHERE id = ?", (customer,))
        findings = await comparison_of(billed).run(self.meters)
        assert {lane for lane, _ in findings.silent} == {Lane(customer, "sms.send"), Lane(customer, "voice.ai")}

    async def test_a_key_that_stripe_refuses_ends_it(self, billed: World) -> None:
        """It would be refused for every customer and meter."""
        summaries = StripeSummaries(billed.double.client(key="nonsense"), known(billed.double.meter_ids))
        comparison = comparison_of(billed)
        comparison._lanes = LaneComparison(summaries, at_once)
        with pytest.raises(stripe.AuthenticationError):
            await comparison.run(self.meters)


@dataclass
class Compared:
    """A comparison that only notes what it is asked; `finds` is what it finds."""

    asked: list[frozenset[str]] = field(default_factory=list)
    finds: Callable[[], Findings] = Findings

    async def run(self, meters: Collection[str]) -> Findings:
        """Notes."""
        self.asked.append(frozenset(meters))
        return self.finds()


class TestHourly:
    """When what is compared."""

    names: ClassVar = {"mtr_1": "sms.send", "mtr_2": "voice.ai", "mtr_3": "fax"}

    def _hourly(
        self, world: World, compared: Compared, report: Callable[[int, Findings | str], None] = lambda *_: None
    ) -> Hourly:
        return Hourly(world.shard(), compared, self.names.get, world.clock, asyncio.Lock(), report)

    async def test_all_meters_once_an_hour(self, world: World) -> None:
        """The first time soon after the shard came here."""
        compared = Compared()
        hourly = self._hourly(world, compared)
        for seconds, times in ((0, 0), (60, 1), (60, 1), (EVERY_SECONDS, 2)):
            world.clock.advance(seconds)
            await hourly.look()
            assert compared.asked == [EVERY_METER] * times

    async def test_a_hint_is_followed_at_once_and_once(self, world: World) -> None:
        """The meter that Stripe named; one that is nobody's is passed over; `*` means all."""
        compared = Compared()
        hourly = self._hourly(world, compared)
        for hints in (["mtr_2", "mtr_strange"], ["mtr_strange"], [], [ALL_METERS, "mtr_1"]):
            for hint in hints:
                await leave_hint(world.shard(), hint)
            await hourly.look()
        assert compared.asked == [{"voice.ai"}, EVERY_METER]

    async def test_a_shortage_is_an_alarm(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        """An error in the log that names customer, meter and minute."""
        slot = Slot(10)
        missing = Difference(LANE, NOON, 60, slot, 4, judge(slot, 4))
        hourly = self._hourly(world, Compared(finds=lambda: Findings(1, [missing])))
        world.clock.advance(60)
        await hourly.look()
        (record,) = caplog.records
        assert record.levelname == "ERROR"
        assert "customer cus_1, meter sms.send, 2026-06-20T12:00:00Z" in record.getMessage()
        assert "6 units are missing" in record.getMessage()

    async def test_a_comparison_that_fails_is_tried_again_some_minutes_later(self, world: World) -> None:
        """Not at every look for hints: it reads all that was ever accepted."""

        def fail() -> Findings:
            raise TimeoutError

        compared = Compared(finds=fail)
        hourly = self._hourly(world, compared)
        world.clock.advance(60)
        with pytest.raises(TimeoutError):
            await hourly.look()
        await hourly.look()
        assert len(compared.asked) == 1
        world.clock.advance(AGAIN_SECONDS)
        with pytest.raises(TimeoutError):
            await hourly.look()

    async def test_what_is_wrong_with_a_comparison_never_stops_billing(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A defect, hour after hour: it is reported, the log says what to do, and usage is billed meanwhile."""

        def fail() -> Findings:
            raise ZeroDivisionError("a defect")

        compared, reported = Compared(finds=fail), list[Findings | str]()

        async def failed_twice() -> bool:
            return reported[:2] == ["ZeroDivisionError: a defect"] * 2

        hourly = self._hourly(world, compared, lambda _, findings: reported.append(findings))
        await world.account("acme")
        world.counts.use("acme", "sms.send", 5, NOON)
        await world.counts.fold()
        async with running(Accompanied(world.worker(), hourly)):
            await eventually_async(world.is_settled, what="everything settled")
            await eventually_async(failed_twice, what="another comparison an hour later")
        world.assert_billed_exactly()
        assert "run billing stripe reconcile" in caplog.text
        assert "a defect" in caplog.text

    async def test_what_is_missing_is_reported_until_it_is_found(self, world: World) -> None:
        """A hint compares one meter; what the others lack is still missing."""
        slot, found = Slot(10), dict[str, int]()

        def missing() -> Findings:
            (meters,) = compared.asked[-1:]
            lanes = [(Lane("cus_1", meter), held) for meter, held in found.items() if meter in meters]
            return Findings(2, [Difference(lane, NOON, 60, slot, held, judge(slot, held)) for lane, held in lanes])

        compared, reported = Compared(finds=missing), list[int]()

        def report(_shard: int, findings: Findings | str) -> None:
            assert isinstance(findings, Findings)
            reported.append(sum(each.missing for each in findings.missing))

        hourly = self._hourly(world, compared, report)
        world.clock.advance(60)
        found |= {"sms.send": 4, "voice.ai": 9}
        await hourly.look()
        found["voice.ai"] = 10
        await leave_hint(world.shard(), "mtr_2")
        await hourly.look()
        assert reported == [7, 6]
