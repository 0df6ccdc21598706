"""A machine whose clock is not Stripe's judges ages and cut-offs wrongly: it sends nothing until it is mended."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate

import pytest
import stripe
from prometheus_client import CollectorRegistry

from ledger.notices import read_notices
from ledger.state import Log, read_state
from metering.alarms import Distances
from metering.troubles.names import Trouble
from stripe_sync.process.metrics import StripeSyncMetrics
from stripe_sync.shard.worker import Surroundings
from stripe_sync.stripe_api.stripe_time import ASK_SECONDS, KNOWN_SECONDS, StripeTime, clock_fault, keep_known
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.answering import Answer, answering
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.stripe_api.test_outcomes import OPENED, client_of
from tests.stripe_sync.world import World, running
from tests.support.eventually import eventually_async

OFF = "nothing is planned or sent: the clock"


def headers(at: float, **other: str) -> dict[str, str]:
    """Of an answer that Stripe gave at a Unix second."""
    return {"Date": formatdate(at, usegmt=True), "Request-Id": "req_1"} | other


@pytest.fixture
def clock() -> ManualClock:
    """Noon."""
    return ManualClock()


@pytest.fixture
def time(clock: ManualClock) -> StripeTime:
    """Nothing measured."""
    return StripeTime(clock)


@pytest.mark.parametrize("seconds", [-3 * HOUR, -1, 0, 1, 3 * HOUR, 36 * 24 * HOUR])
def test_the_skew_is_our_clock_less_stripes(time: StripeTime, seconds: int) -> None:
    """By the Date of its answer."""
    time.note(headers(NOON - seconds))
    assert time.skew() == pytest.approx(seconds, abs=1)


def test_a_clock_that_jumps_is_seen_without_another_answer(clock: ManualClock, time: StripeTime) -> None:
    """The monotonic clock carries Stripe's time on."""
    time.note(headers(NOON))
    clock.advance(3 * HOUR)
    assert time.skew() == pytest.approx(0, abs=1)
    clock.set_wall(-2 * HOUR)
    assert time.skew() == pytest.approx(-2 * HOUR, abs=1)
    time.note(headers(NOON + HOUR))
    assert time.skew() == pytest.approx(0, abs=1)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Date": formatdate(0, usegmt=True)},
        {"Request-Id": "req_1"},
        headers(0) | {"Date": "soon"},
        headers(0, Date=""),
    ],
    ids=str,
)
def test_only_an_answer_of_stripe_with_a_date_says_anything(time: StripeTime, said: Mapping[str, str]) -> None:
    """A gateway on the way has a clock of its own."""
    time.note(said)
    assert time.skew() is None
    time.note(headers(NOON))
    time.note(said)
    assert time.skew() == pytest.approx(0, abs=1)


@pytest.mark.parametrize(
    ("skew", "broker", "said"),
    [
        (None, None, None),
        (None, 1e6, None),
        (600.0, None, None),
        (-600.0, 1e6, None),
        (601.0, None, "this Stripe worker's clock is 10 minutes ahead of Stripe's: set it"),
        (-10_800.0, None, "this Stripe worker's clock is 3.0 hours behind Stripe's: set it"),
        (-10_800.0, 10_790.0, "this Stripe worker's clock is 3.0 hours behind"),
        (10_800.0, 5.0, "the clocks of this Stripe worker and of Kafka are 3.0 hours ahead of Stripe's: set both"),
    ],
)
def test_beyond_ten_minutes_it_says_whose_clock_to_set(
    skew: float | None, broker: float | None, said: str | None
) -> None:
    """Ours, or Kafka's as well."""
    found = clock_fault(skew, broker)
    assert found is None if said is None else found is not None and said in found


async def test_stripe_is_asked_for_its_time_when_it_is_wanted(clock: ManualClock, time: StripeTime) -> None:
    """At once, when it is old, again and again while it says that nothing may be done; a refusal is no matter."""
    asked: list[float] = []
    answers = iter([NOON, NOON + KNOWN_SECONDS, None, None])

    async def ask() -> None:
        asked.append(clock.monotonic())
        answer = next(answers, -1)
        if answer == -1:
            raise KeyboardInterrupt
        if answer is None:
            raise stripe.AuthenticationError("no")
        time.note(headers(answer + 2 * ASK_SECONDS))

    with suppress(KeyboardInterrupt):
        await keep_known(time, ask, clock)
    assert asked[0] == ASK_SECONDS
    assert asked[1] - asked[0] == pytest.approx(KNOWN_SECONDS, abs=2 * ASK_SECONDS)
    assert asked[-1] - asked[-2] == ASK_SECONDS


async def test_every_answer_of_the_workers_client_is_noted() -> None:
    """A refusal's too; what came in pieces as well."""
    noted: list[Mapping[str, str]] = []
    for status in (200, 400, 500):
        async with answering(Answer(status, {"object": "account", "id": "acct_1"}, headers(NOON))) as server:
            client = client_of(server.url)
            OPENED[-1]._answered = noted.append
            with suppress(stripe.StripeError):
                await client.v1.accounts.retrieve_current_async()
    assert [each["Date"] for each in noted] == [formatdate(NOON, usegmt=True)] * 3


@dataclass
class Machine:
    """The machine that a worker runs on: why its clock is no good, if so."""

    world: World
    fault: str | None = None

    def surroundings(self) -> Surroundings:
        """The worker's."""
        metrics = StripeSyncMetrics(CollectorRegistry(), self.world.clock, Distances())
        return Surroundings(report=metrics.shard, clock_fault=lambda: self.fault)

    async def says_so(self) -> bool:
        """In the status."""
        said = await read_notices(self.world.shard())
        return [each.detail for each in said if each.trouble is Trouble.CLOCK_OFF] == (
            [] if self.fault is None else [self.fault]
        )


@pytest.fixture
async def machine(world: World) -> AsyncIterator[Machine]:
    """An account with usage."""
    await world.account("a")
    world.counts.use("a", "sms.send", 5, NOON)
    await world.counts.fold()
    return Machine(world)


async def test_nothing_is_planned_or_sent_while_the_clock_is_off(machine: Machine) -> None:
    """What is in flight is not sent either; it says so; and it goes on by itself."""
    world = machine.world
    async with running(world.worker(surroundings=machine.surroundings())):
        await eventually_async(world.is_settled)
        machine.fault = OFF
        await eventually_async(machine.says_so)
        world.counts.use("a", "sms.send", 7, NOON)
        await world.counts.fold()
        calls, records, since = world.double.calls(), len(world.log.entries()), world.clock.monotonic()
        await eventually_async(lambda: passed(world.clock, since + 60))
        assert (world.double.calls(), len(world.log.entries())) == (calls, records)
        machine.fault = None
        await eventually_async(world.is_settled)
        await eventually_async(machine.says_so)
    world.assert_billed_exactly()


async def passed(clock: ManualClock, moment: float) -> bool:
    """It is so late."""
    return clock.monotonic() >= moment


async def test_a_row_that_waits_for_its_turn_is_not_sent_then(machine: Machine) -> None:
    """The clock jumps between the look at the log and the call."""
    world = machine.world

    async def jumps() -> None:
        machine.fault = OFF

    worker = world.worker(surroundings=machine.surroundings(), admit=jumps)
    async with running(worker):
        await eventually_async(machine.says_so)
    assert world.double.calls() == 0
    machine.fault = None
    await world.bill()
    world.assert_billed_exactly()


async def test_no_shard_is_opened_by_a_clock_that_is_off(machine: Machine) -> None:
    """By a clock a month ahead everything of today would be closed for ever, had the log been cut."""
    world = machine.world
    machine.fault = OFF
    world.log.land(0, b"{}")
    world.log.cut(0, 1)
    worker = world.worker(surroundings=machine.surroundings())
    async with running(worker):
        await eventually_async(machine.says_so)
    assert Log.PUSHES not in (await read_state(world.shard())).fences
    machine.fault = None
    await world.bill()
    world.assert_billed_exactly()
