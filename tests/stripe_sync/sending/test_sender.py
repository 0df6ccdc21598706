"""How a row is brought to its fate."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import stripe

from metering.account import Account
from metering.outcome import Ambiguous, Delivered, Outcome, Park, ParkReason, RetryLater, StopWorker
from metering.push_fold import InFlight
from metering.push_log import Settlement
from metering.row import Row
from stripe_sync.errors import StripeStoppedError
from stripe_sync.push_log.folder import Moment
from stripe_sync.sending.sender import FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS, WINDOW_SECONDS, Sender, StripeSide, Work
from tests.ledger_push.counts import NOON
from tests.ledger_push.rows import name_of, row
from tests.stripe_sync.manual_clock import ManualClock

OLD_SECONDS = 23 * 3600


@dataclass
class Script:
    """A transport and summaries that answer what the test wrote down; the last answer stays."""

    outcomes: list[Outcome] = field(default_factory=lambda: [Delivered()])
    held: list[int | Exception] = field(default_factory=lambda: [0])
    sent: list[str] = field(default_factory=list)
    asked: int = 0
    during: Callable[[Row], Awaitable[None]] | None = None

    async def send(self, row: Row, identifier: str) -> Outcome:
        """The next outcome."""
        self.sent.append(identifier)
        if self.during:
            await self.during(row)
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]

    async def units(self, row: Row) -> int:
        """The next answer of the summaries."""
        self.asked += 1
        answer = self.held.pop(0) if len(self.held) > 1 else self.held[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Sending:
    """A sender and its surroundings."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.script = Script()
        self.admitted = 0
        self.base: int | None = 0
        self.sender = Sender(
            StripeSide(self.script, self.script), self.clock, grace=3600, admit=self.admit, jitter=lambda: 1.0
        )

    async def admit(self) -> None:
        """Counts the calls."""
        self.admitted += 1

    async def _base(self) -> int | None:
        return self.base

    def work(self, sent: Row, *, age: float = 0.0) -> Work:
        """The row in flight, folded now, prepared `age` seconds ago."""
        now = self.clock.now_ms()
        return Work(
            identifier=name_of(sent),
            entry=InFlight(row=sent, prepared_ms=now - int(age * 1000)),
            account=Account(customer=sent.customer),
            folded=Moment(now, self.clock.monotonic()),
            base=self._base,
        )

    async def settle(self, *, age: float = 0.0) -> Settlement | None:
        """What came of a row of five units."""
        return await self.sender.settle(self.work(ROW, age=age))


ROW = row(0, 5)
SETTLED = Settlement(identifier=name_of(ROW))


@pytest.fixture
def sending() -> Sending:
    """With a Stripe that takes everything."""
    return Sending()


async def test_a_delivered_row_is_settled(sending: Sending) -> None:
    """One call, admitted by the rate limit."""
    assert await sending.settle() == SETTLED
    assert (sending.script.sent, sending.admitted, sending.script.asked) == ([name_of(ROW)], 1, 0)


async def test_a_refused_row_is_parked(sending: Sending) -> None:
    """With the reason and Stripe's words."""
    sending.script.outcomes = [Park(ParkReason.REFUSED, "no code: none")]
    settled = await sending.settle()
    assert settled == Settlement(identifier=name_of(ROW), parked=ParkReason.REFUSED, detail="no code: none")


async def test_a_refused_key_stops_everything(sending: Sending) -> None:
    """The row is neither settled nor tried again."""
    sending.script.outcomes = [StopWorker("no such key")]
    with pytest.raises(StripeStoppedError, match="no such key"):
        await sending.settle()
    assert len(sending.script.sent) == 1


async def test_the_same_bytes_are_sent_until_there_is_an_answer(sending: Sending) -> None:
    """Under the same identifier, with a growing pause; each call admitted."""
    sending.script.outcomes = [Ambiguous("?")] * 9 + [Delivered()]
    assert await sending.settle() == SETTLED
    assert sending.script.sent == [name_of(ROW)] * 10
    assert sending.admitted == 10
    assert sending.clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert (sending.clock.slept[0], sending.clock.slept[-1]) == (FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS)


async def test_retry_after_is_honoured(sending: Sending) -> None:
    """A longer pause than one's own is taken, a shorter one is not."""
    sending.script.outcomes = [RetryLater("slow down", 7.0), RetryLater("slow down", 0.1), RetryLater("x"), Delivered()]
    assert await sending.settle() == SETTLED
    assert sending.clock.slept == [7.0, 1.0, 2.0]


async def test_no_pause_is_longer_than_the_fold_is_good_for(sending: Sending) -> None:
    """Whatever Stripe asks for: after ten minutes the row must be looked at again."""
    sending.script.outcomes = [RetryLater("come back tomorrow", 86_400.0), Delivered()]
    assert await sending.settle() is None
    assert sending.clock.slept == [WINDOW_SECONDS]
    assert len(sending.script.sent) == 1


async def test_a_row_without_an_answer_is_looked_at_again_in_the_end(sending: Sending) -> None:
    """The fold behind it grew too old: nothing is settled."""
    sending.script.outcomes = [Ambiguous("?")]
    assert await sending.settle() is None
    assert WINDOW_SECONDS <= sum(sending.clock.slept) <= WINDOW_SECONDS + LAST_DELAY_SECONDS


async def test_a_row_that_waited_too_long_for_its_turn_is_not_sent(sending: Sending) -> None:
    """The rules are checked after the wait for the rate limit, not before."""

    async def slow() -> None:
        sending.clock.advance(WINDOW_SECONDS)

    sending.sender = Sender(StripeSide(sending.script, sending.script), sending.clock, grace=3600, admit=slow)
    assert await sending.settle() is None
    assert sending.script.sent == []


@pytest.mark.parametrize(
    ("held", "base", "expected", "calls"),
    [
        (5, 0, SETTLED, 0),
        (12, 7, SETTLED, 0),
        (0, 0, SETTLED, 1),
        (7, 7, SETTLED, 1),
        (3, 0, ParkReason.UNDECIDABLE, 0),
        (6, 7, ParkReason.UNDECIDABLE, 0),
        (100, 7, ParkReason.UNDECIDABLE, 0),
        (5, None, None, 0),
        (0, None, None, 0),
    ],
)
async def test_the_summary_decides_on_an_old_row(
    sending: Sending, held: int, base: int | None, expected: Settlement | ParkReason | None, calls: int
) -> None:
    """There, not there, or neither; without a base the row was settled meanwhile, and nothing may be concluded."""
    sending.script.held, sending.base = [held], base
    settled = await sending.settle(age=OLD_SECONDS)
    if isinstance(expected, ParkReason):
        assert settled is not None
        assert settled.parked is expected
    else:
        assert settled == expected
    assert (len(sending.script.sent), sending.script.asked) == (calls, 1)
    assert sending.admitted == 1 + calls


@pytest.mark.parametrize(("held", "parked", "calls"), [(5, True, 0), (0, False, 1), (3, True, 0)])
async def test_another_account_s_units_are_not_taken_for_an_old_row(
    sending: Sending, held: int, parked: bool, calls: int
) -> None:
    """The customer moved: as many units as the row's may be the other's; none at all are nobody's."""
    side = StripeSide(sending.script, sending.script, has_moved=lambda customer: customer == "cus_1")
    sending.sender = Sender(side, sending.clock, grace=3600, admit=sending.admit)
    sending.script.held, sending.base = [held], 0
    settled = await sending.settle(age=OLD_SECONDS)
    assert settled is not None
    assert (settled.parked is ParkReason.UNDECIDABLE) is parked
    assert len(sending.script.sent) == calls


async def test_an_old_row_without_an_answer_is_asked_for_before_every_attempt(sending: Sending) -> None:
    """The attempt before may have arrived."""
    sending.script.outcomes, sending.script.held = [Ambiguous("?")], [0, 5]
    assert await sending.settle(age=OLD_SECONDS) == SETTLED
    assert (len(sending.script.sent), sending.script.asked) == (1, 2)


def stripe_error(kind: type[stripe.StripeError], status: int | None) -> stripe.StripeError:
    """As stripe-python raises it."""
    return (
        kind("no", http_status=status)
        if kind is not stripe.InvalidRequestError
        else kind("no", "id", http_status=status)
    )  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "error",
    [
        stripe_error(stripe.APIConnectionError, None),
        stripe_error(stripe.APIError, 500),
        stripe_error(stripe.RateLimitError, 429),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"),
    ],
)
async def test_a_summary_that_can_t_be_had_now_is_asked_for_again(sending: Sending, error: Exception) -> None:
    """Nothing is sent meanwhile."""
    sending.script.held = [error, error, 5]
    assert await sending.settle(age=OLD_SECONDS) == SETTLED
    assert (sending.script.sent, sending.script.asked) == ([], 3)
    assert sending.clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(("kind", "status"), [(stripe.AuthenticationError, 401), (stripe.PermissionError, 403)])
async def test_a_summary_that_the_key_may_not_read_stops_everything(
    sending: Sending, kind: type[stripe.StripeError], status: int
) -> None:
    """As it does for a row."""
    sending.script.held = [stripe_error(kind, status)]
    with pytest.raises(StripeStoppedError):
        await sending.settle(age=OLD_SECONDS)


async def test_a_summary_that_is_refused_for_good_parks_the_row(sending: Sending) -> None:
    """The customer or the meter is gone: Stripe's own 404 has a code for it."""
    gone = stripe.InvalidRequestError("no", "id", code="resource_missing", http_status=404)  # type: ignore[no-untyped-call]
    sending.script.held = [gone]
    settled = await sending.settle(age=OLD_SECONDS)
    assert settled is not None
    assert settled.parked is ParkReason.UNDECIDABLE
    assert sending.script.sent == []


async def test_a_summary_asked_at_a_wrong_address_stops_the_worker(sending: Sending) -> None:
    """A 404 that is not Stripe's says nothing of the row: it stays in flight."""
    sending.script.held = [stripe_error(stripe.InvalidRequestError, 404)]
    with pytest.raises(StripeStoppedError, match="BILLING_STRIPE_API_BASE"):
        await sending.settle(age=OLD_SECONDS)
    assert sending.script.sent == []


async def test_one_call_at_a_time_for_a_customer_and_meter(sending: Sending) -> None:
    """Others go on at the same time; the rate limit is asked by those only whose turn it is."""
    now, most = {"a": 0, "b": 0}, {"a": 0, "b": 0, "all": 0}

    async def during(sent: Row) -> None:
        lane = "b" if sent.customer == "cus_2" else "a"
        now[lane] += 1
        most[lane] = max(most[lane], now[lane])
        most["all"] = max(most["all"], sum(now.values()))
        assert sending.admitted - len(sending.script.sent) <= 0
        for _ in range(3):
            await asyncio.sleep(0)
        now[lane] -= 1

    sending.script.during = during
    hours = [NOON // 3600 - number for number in range(10)]
    rows = [row(0, 5, hour=hour, timestamp=hour * 3600, customer=name) for hour in hours for name in ("cus_1", "cus_2")]
    await asyncio.gather(*(sending.sender.settle(sending.work(each)) for each in rows))
    assert len(sending.script.sent) == 20
    assert most == {"a": 1, "b": 1, "all": 2}


async def test_a_row_that_pauses_lets_the_next_of_its_lane_pass(sending: Sending) -> None:
    """A row that Stripe does not answer does not hold the others of its customer."""
    stuck, passing = row(0, 5), row(0, 5, hour=NOON // 3600 - 1, timestamp=NOON - 3600)

    async def during(sent: Row) -> None:
        sending.script.outcomes = [Ambiguous("?") if sent == stuck else Delivered()]

    sending.script.during = during
    settled = await asyncio.gather(
        sending.sender.settle(sending.work(stuck)), sending.sender.settle(sending.work(passing))
    )
    assert settled == [None, Settlement(identifier=name_of(passing))]


async def test_lanes_are_forgotten(sending: Sending) -> None:
    """A platform has more customers than a process has memory for locks that nobody holds."""
    for number in range(50):
        await sending.sender.settle(sending.work(row(0, 5, customer=f"cus_{number}")))
    gc.collect()
    assert len(sending.sender._lanes) == 0


async def test_a_cancelled_row_frees_its_lane(sending: Sending) -> None:
    """The next one of the customer goes on."""
    blocked = asyncio.Event()

    async def during(sent: Row) -> None:
        blocked.set()
        await asyncio.Event().wait()

    sending.script.during = during
    task = asyncio.create_task(sending.settle())
    await blocked.wait()
    waiting = asyncio.create_task(sending.settle())
    await asyncio.sleep(0)
    sending.script.during = None
    task.cancel()
    assert await waiting == SETTLED
