"""Brings one row in flight to its fate, under the rules that make sending safe against zombies and clocks."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum, auto
from weakref import WeakValueDictionary

from metering.account import Account
from metering.billing_time import sendable_until
from metering.outcome import Ambiguous, Delivered, NoMeter, Outcome, Park, ParkReason, RetryLater, StopWorker
from metering.push_fold import QUIET_MS, InFlight
from metering.push_log import Settlement
from metering.row import Row
from runtime.clock import Clock
from stripe_sync.errors import StripeStoppedError
from stripe_sync.push_log.folder import Moment
from stripe_sync.sending.meter_gate import MeterGate
from stripe_sync.stripe_api.client import Transport
from stripe_sync.stripe_api.outcomes import FAILURES, outcome_of
from stripe_sync.stripe_api.stripe_time import ClockFault, no_fault
from stripe_sync.stripe_api.summaries import Presence, Summaries, presence

log = logging.getLogger(__name__)

WINDOW_SECONDS = 600.0  # from observing the log's end to sending: who sleeps longer may no longer own the row
RESEND_SECONDS = 22 * 3600  # Stripe refuses a known identifier for 24 hours; two are left for clocks
FIRST_DELAY_SECONDS = 0.5
LAST_DELAY_SECONDS = 30.0


Admit = Callable[[], Awaitable[None]]


class Step(Enum):
    """What may be done with a row in flight at one moment."""

    START_OVER = auto()
    """The fold behind it is too old: fold to the end of the log and look again."""
    SEND = auto()
    ASK = auto()
    """Too old to be sent blindly, or to be given up: the summary decides."""
    MISSED = auto()
    """Its period can no longer be billed."""


@dataclass(frozen=True, slots=True)
class Now:
    """Both clocks at one moment."""

    wall_ms: int
    monotonic: float


@dataclass(frozen=True, slots=True)
class Work:
    """A row in flight and what was known when the fold stood at the end of the log.

    `base` gives the units that Stripe holds for its customer, meter and minute without it; None once it is settled.
    """

    identifier: str
    entry: InFlight
    account: Account
    folded: Moment
    base: Callable[[], Awaitable[int | None]]


def next_step(work: Work, now: Now, *, grace: int, asked: bool = False) -> Step:
    """Decides what may be done with a row now.

    Args:
        work: the row.
        now: both clocks; either may have jumped or stood still.
        grace: Stripe's finalisation grace in seconds.
        asked: the summary has just said that Stripe does not hold the row.
    """
    window = WINDOW_SECONDS
    wall = (now.wall_ms - work.folded.wall_ms) / 1000
    if not 0 <= now.monotonic - work.folded.monotonic < window or not -window < wall < window:
        return Step.START_OVER
    missed = now.wall_ms // 1000 >= sendable_until(work.entry.row.timestamp, work.account.anchor, grace=grace)
    if not asked and now.wall_ms - work.entry.prepared_ms >= (QUIET_MS if missed else RESEND_SECONDS * 1000):
        return Step.ASK
    return Step.MISSED if missed else Step.SEND


@dataclass(frozen=True, slots=True)
class StripeSide:
    """Both ways to ask something of Stripe, and what is wrong with our clock: then no age and cut-off can be judged.

    `has_moved`: whether a customer has been another account's, whose units its summaries may show.
    """

    transport: Transport
    summaries: Summaries
    clock_fault: ClockFault = no_fault
    has_moved: Callable[[str], bool] = lambda _customer: False


class Sender:
    """Sends rows: at most so many a second, and one at a time per customer and meter (Stripe's limit).

    `admit` waits until the rate limit lets one more row through; `jitter` gives 0 to 1; `called` is told of each
    answer and the seconds it took. `lanes` is off for the stream: one at a time is a rule of the single endpoints.
    """

    def __init__(
        self,
        stripe_side: StripeSide,
        clock: Clock,
        *,
        grace: int,
        admit: Admit,
        jitter: Callable[[], float] = random.random,
        called: Callable[[Outcome, float], None] = lambda _outcome, _seconds: None,
        lanes: bool = True,
    ) -> None:
        self._one_at_a_time = lanes
        self._called = called
        self.gate = MeterGate(clock)
        self._stripe = stripe_side
        self._clock = clock
        self._grace = grace
        self._admit = admit
        self._jitter = jitter
        self._lanes: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def settle(self, work: Work) -> Settlement | None:
        """What came of a row; None if the fold behind it grew too old first, or if it waits for its meter.

        Raises:
            StripeStoppedError: Stripe does not talk to this key.
        """
        attempt = 0
        while True:
            outcome = await self._attempt(work)
            match outcome:
                case None:
                    return None
                case Delivered():
                    return Settlement(identifier=work.identifier)
                case Park(reason, detail):
                    return Settlement(identifier=work.identifier, parked=reason, detail=detail)
                case NoMeter(detail):
                    self.gate.refused(work.entry.row.meter, detail)
                    return None
                case StopWorker(reason):
                    raise StripeStoppedError(reason)
                case RetryLater() | Ambiguous():
                    log.info("row %s: %s: again later", work.identifier, outcome.reason)
                    await self._clock.sleep(self._delay(outcome, attempt))
                    attempt += 1

    async def _attempt(self, work: Work) -> Outcome | None:
        """Sends once at the most; the rules are checked right before, because waiting for a turn took time.

        None if the row must be looked at again first.
        """
        row = work.entry.row
        async with self._lane(row):
            await self._admit()
            decided: Step | Outcome = next_step(work, self._now(), grace=self._grace)
            if decided is Step.ASK:
                decided = await self._ask(work)
            if decided is Step.START_OVER or self._stripe.clock_fault() is not None:
                return None
            if decided is Step.MISSED:
                return Park(ParkReason.MISSED_CUTOFF, "its period was about to be finalised")
            if isinstance(decided, Step) and not self.gate.lets(row.meter, work.identifier):
                return None
            return await self._send(work) if isinstance(decided, Step) else decided

    async def _send(self, work: Work) -> Outcome:
        since = self._clock.monotonic()
        outcome = await self._stripe.transport.send(work.entry.row, work.identifier)
        self._called(outcome, self._clock.monotonic() - since)
        if isinstance(outcome, Delivered):
            self.gate.taken(work.entry.row.meter)
        return outcome

    def _lane(self, row: Row) -> AbstractAsyncContextManager[None]:
        """The lock of a customer and meter, forgotten once nobody holds or awaits it."""
        if not self._one_at_a_time:
            return nullcontext()
        return self._lanes.setdefault((row.customer, row.meter), asyncio.Lock())

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), self._clock.monotonic())

    async def _ask(self, work: Work) -> Step | Outcome:
        """What the summary says of an old row; the next step where it proves that the row is not there."""
        row = work.entry.row
        try:
            held = await self._stripe.summaries.units(row)
        except FAILURES as error:
            outcome = outcome_of(error)
            return Park(ParkReason.UNDECIDABLE, f"summary: {outcome.detail}") if isinstance(outcome, Park) else outcome
        without = await work.base()
        if without is None:
            return Step.START_OVER
        match presence(held, without, row.value):
            case Presence.HELD if self._stripe.has_moved(row.customer):
                return Park(
                    ParkReason.UNDECIDABLE, f"the summary says {held}; another account had this customer as well"
                )
            case Presence.HELD:
                return Delivered()
            case Presence.ABSENT:
                await self._admit()
                return next_step(work, self._now(), grace=self._grace, asked=True)
        return Park(ParkReason.UNDECIDABLE, f"the summary says {held}; {without} without the row, which is {row.value}")

    def _delay(self, outcome: RetryLater | Ambiguous, attempt: int) -> float:
        backoff: float = min(LAST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0**attempt) * (0.5 + self._jitter() / 2)
        asked = outcome.delay if isinstance(outcome, RetryLater) and outcome.delay is not None else 0.0
        return max(min(asked, WINDOW_SECONDS), backoff)  # by then the row must be looked at again anyway
