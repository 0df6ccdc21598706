"""One shard's worker: what is counted reaches Stripe, once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from ledger.pushes import read_in_flight
from metering.account import Account
from metering.limits import MAX_QUANTITY
from metering.outcome import ParkReason
from metering.push_log import Prepared, Settled, StripeIdentity, decode, encode
from metering.row import MAX_VALUE
from stripe_sync.errors import StripeStoppedError, WrongStripeError
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.world import IDENTITY, World, running
from tests.support.eventually import eventually_async

T = TypeVar("T")


async def some_usage(world: World) -> None:
    """Two accounts, three meters, buckets of several hours."""
    for name in ("a", "b"):
        await world.account(name)
        for hour in range(3):
            world.counts.use(name, "sms.send", 5 + hour, NOON - hour * HOUR)
        world.counts.use(name, "voice.ai", 1_000_000_000, NOON - 20 * HOUR)
        world.counts.use(name, "did.monthly", 1, NOON - 2)
    await world.counts.fold()


async def test_what_is_counted_is_billed_to_the_unit(world: World) -> None:
    """And what comes later is billed as the difference."""
    await some_usage(world)
    await world.bill()
    world.assert_billed_exactly()

    world.counts.use("a", "sms.send", 3, NOON)
    await world.counts.fold()
    await world.bill()
    world.assert_billed_exactly()
    assert await world.parked() == 0


async def test_more_than_stripe_takes_at_once_is_billed_to_the_unit(world: World) -> None:
    """A million and one events of the largest quantity in an hour, and other accounts beside it."""
    await some_usage(world)
    await world.count_more("a", "sms.send", 1_000_001 * MAX_QUANTITY)
    await world.count_more("b", "voice.ai", 8 * MAX_VALUE + 1)
    await world.bill()
    world.assert_billed_exactly()
    assert await world.parked() == 0


async def test_every_row_is_in_the_log_before_it_is_sent(world: World) -> None:
    """Prepared, then sent, then settled: nothing that Stripe holds is unknown to the log."""
    await some_usage(world)
    await world.bill()
    records = [decode(entry.value or b"") for entry in world.log.entries()]
    rows = {row.identifier("tests") for record in records if isinstance(record, Prepared) for row in record.rows}
    settled = {done.identifier for record in records if isinstance(record, Settled) for done in record.settlements}
    assert rows == settled == set(world.double.bodies())
    assert isinstance(records[0], Prepared)
    assert all(record.identity == IDENTITY for record in records if isinstance(record, Prepared))


async def test_usage_without_a_customer_waits_until_there_is_one(world: World) -> None:
    """Nothing is sent; once the account is mapped, everything is."""
    world.counts.use("a", "sms.send", 7, NOON)
    await world.counts.fold()
    worker = world.worker()
    async with running(worker):
        await eventually_async(lambda: passed(world, 60))
        assert world.double.billed() == {}
        await world.account("a")
        await world.counts.fold()
        await eventually_async(world.is_settled)
    world.assert_billed_exactly()


async def passed(world: World, seconds: float) -> bool:
    """So much time went by since noon."""
    return world.clock.now_ms() / 1000 >= NOON + seconds


async def test_a_refused_row_is_parked_and_holds_only_its_bucket(world: World) -> None:
    """An unknown customer: the row is in the log with its reason; other accounts go on."""
    await some_usage(world)
    world.customers["c"] = "cus_unknown"
    world.counts.map("c", Account(customer="cus_unknown"))
    world.counts.use("c", "sms.send", 9, NOON)
    await world.counts.fold()
    await world.bill()
    assert await world.parked() == 9
    del world.counts.units["c", "sms.send"]
    world.assert_billed_exactly()
    last = [decode(entry.value or b"") for entry in world.log.entries()]
    reasons = [done.parked for record in last if isinstance(record, Settled) for done in record.settlements]
    assert reasons.count(ParkReason.UNKNOWN_CUSTOMER) == 1


@pytest.mark.parametrize(
    "other",
    [
        StripeIdentity(namespace="other", account="acct_1", livemode=False),
        StripeIdentity(namespace="tests", account="acct_2", livemode=False),
        StripeIdentity(namespace="tests", account="acct_1", livemode=True),
    ],
)
async def test_a_worker_of_another_stripe_sends_nothing(world: World, other: StripeIdentity) -> None:
    """Another namespace, account or mode than the log's: refused, though rows are in flight and due."""
    await some_usage(world)
    before = world.worker()
    await before.turn()
    before_log = len(world.log.entries())
    assert before_log == 1

    with pytest.raises(WrongStripeError):
        await world.worker(identity=other).run()
    assert world.double.billed() == {}
    assert len(world.log.entries()) == before_log


async def test_a_refused_key_stops_the_worker(world: World) -> None:
    """Nothing is parked, nothing settled: what is in flight stays so until somebody mends the key."""
    await some_usage(world)
    with pytest.raises(StripeStoppedError):
        await world.worker(key="nonsense").run()
    assert all(isinstance(decode(entry.value or b""), Prepared) for entry in world.log.entries())
    await world.bill()
    world.assert_billed_exactly()


async def test_a_refused_key_stops_a_worker_that_waits_for_the_count(world: World) -> None:
    """Even while the push log can't be folded on: the process must end and be seen to."""
    await some_usage(world)
    worker = world.worker(key="nonsense")
    await worker.turn()
    await worker.turn()
    await append_ahead(world)
    with pytest.raises(StripeStoppedError):
        await asyncio.wait_for(worker.run(), 5)


async def test_nothing_is_left_running_when_a_worker_is_stopped(world: World) -> None:
    """Cancelled in the middle of sending: its tasks end with it."""
    await some_usage(world)
    blocked = asyncio.Event()

    async def never() -> None:
        blocked.set()
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with running(world.worker(admit=never)):
        await blocked.wait()
        assert len(asyncio.all_tasks() - before) > 2
    assert asyncio.all_tasks() == before
    await world.bill()
    world.assert_billed_exactly()


async def test_an_idle_turn_costs_little_and_waits(world: World) -> None:
    """A look at the log, its mark, the rows in flight: no append, nothing to Stripe, and up to a second's rest."""
    await some_usage(world)
    await world.bill()
    calls: list[str] = []

    async def note(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        calls.append(name)
        return await perform()

    worker = world.worker(note)
    await worker.turn()
    await worker.turn()
    calls.clear()
    assert await worker.turn() > 0
    assert sorted(calls) == ["log bounds", "log read", "redis mark_ready", "redis note_server", "redis scan_rows"]


async def test_a_worker_that_waits_for_the_count_does_not_spin(world: World) -> None:
    """The push log is ahead of the count, and its rows came back from Stripe: it still pauses between two looks."""
    await some_usage(world)
    looks: list[float] = []

    async def note(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        if name == "log bounds":
            looks.append(len(world.clock.slept))
        return await perform()

    worker = world.worker(note)
    await worker.turn()
    await worker.turn()
    await append_ahead(world)
    async with running(worker):
        await eventually_async(lambda: passed(world, 3))
    assert len(looks) <= len(world.clock.slept) + 5


async def append_ahead(world: World) -> None:
    """A record that was planned on more usage than this shard has counted."""
    first = decode(world.log.entries()[0].value or b"")
    assert isinstance(first, Prepared)
    await world.log.append(0, encode(first.model_copy(update={"usage_fence": 10_000})))


async def test_one_call_at_a_time_for_a_customer_and_meter(world: World) -> None:
    """A record of a hundred rows of two customers: Stripe would refuse a second call at once, and never has to."""
    for name in ("a", "b"):
        await world.account(name)
        for hour in range(60):
            world.counts.use(name, "sms.send", hour + 1, NOON - hour * HOUR)
    await world.counts.fold()
    at_once: Counter[str] = Counter()
    most: list[int] = []

    async def watch(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        at_once[name] += 1
        most.append(at_once["stripe POST /v2/billing/meter_events"])
        try:
            await asyncio.sleep(0)
            return await perform()
        finally:
            at_once[name] -= 1

    await world.bill(world.worker(watch))
    world.assert_billed_exactly()
    assert max(most) == 2
    assert 429 not in {exchange.status for exchange in world.double.recorder.exchanges}


async def test_a_slow_row_holds_only_itself(world: World) -> None:
    """One customer's call hangs: everybody else's rows are delivered and settled meanwhile."""
    await some_usage(world)
    answered = asyncio.Event()
    stuck: list[str] = []

    async def hang(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        if name.startswith("stripe POST") and not stuck:
            stuck.append(name)
            await answered.wait()
        return await perform()

    async with running(world.worker(hang)):
        await eventually_async(lambda: only_one_lane_left(world))
        answered.set()
        await eventually_async(world.is_settled)
    world.assert_billed_exactly()


async def only_one_lane_left(world: World) -> bool:
    """What is in flight is of one customer and meter, and nothing is due."""
    entries = await read_in_flight(world.shard())
    lanes = {(entry.row.customer, entry.row.meter) for entry in entries.values()}
    return len(lanes) == 1 and not await world.redis.exists(world.shard().keys.due)
