"""How far this machine's clock is from Stripe's, by the Date of Stripe's own answers.

Cut-offs and ages are judged by this machine's clock. Ten minutes are within every margin: a row is sent until a quarter
of an hour before its period is final, and blindly for two hours less than Stripe knows its identifier. What is further
off would send what Stripe has forgotten, or after the final invoice: nothing is planned or sent then.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Literal

from runtime.clock import Clock
from stripe_sync.stripe_api.outcomes import FAILURES

MOST_SECONDS = 600.0
ASK_SECONDS = 10.0
KNOWN_SECONDS = 600.0  # how long an answer is believed: a machine that was frozen with its clocks knows no better


class StripeTime:
    """Stripe's time, measured at each of its answers and carried on by the monotonic clock in between."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._measured: tuple[float, float] | None = None  # Stripe's Unix seconds, when by the monotonic clock

    def note(self, headers: Mapping[str, str]) -> None:
        """Takes the headers of an answer. One without a Request-Id is not Stripe's: some proxy's clock says nothing."""
        named = {name.lower(): value for name, value in headers.items()}
        if "request-id" not in named or "date" not in named:
            return
        try:
            date = parsedate_to_datetime(named["date"]).timestamp()
        except (ValueError, OverflowError):
            return
        self._measured = (date, self._clock.monotonic())

    def skew(self) -> float | None:
        """This machine's clock less Stripe's, in seconds; None before the first answer."""
        if self._measured is None:
            return None
        date, then = self._measured
        return self._clock.now_ms() / 1000 - (date + self._clock.monotonic() - then)

    def wants_an_answer(self) -> bool:
        """Whether Stripe should be asked for its time: what is known is old, or says that nothing may be done."""
        if self._measured is None or self._clock.monotonic() - self._measured[1] > KNOWN_SECONDS:
            return True
        return abs(self.skew() or 0.0) > MOST_SECONDS


async def keep_known(time: StripeTime, ask: Callable[[], Awaitable[object]], clock: Clock) -> None:
    """Asks Stripe anything whenever its time is wanted, until cancelled: the answer's headers are noted."""
    while True:
        await clock.sleep(ASK_SECONDS)
        if time.wants_an_answer():
            with suppress(*FAILURES):  # a refusal has a Date as well; who has work to do meets what is wrong
                await ask()


ClockFault = Callable[[], str | None]
"""Says why nothing may be judged by this machine's clock now, and what to do; None while all is well."""


def no_fault() -> None:
    """Where there is no Stripe to compare with."""


def clock_fault(skew: float | None, broker: float | None) -> str | None:
    """Why nothing may be judged by this machine's clock, and whose to set; None while it is near enough to Stripe's.

    Args:
        skew: this machine's clock less Stripe's, in seconds; None if it is not known.
        broker: Kafka's clock less this machine's, likewise.
    """
    if skew is None or abs(skew) <= MOST_SECONDS:
        return None
    way: Literal["ahead of", "behind"] = "ahead of" if skew > 0 else "behind"
    whose, which = "this Stripe worker's clock is", "set it"
    if broker is not None and abs(broker + skew) > MOST_SECONDS:
        whose, which = "the clocks of this Stripe worker and of Kafka are", "set both"
    return f"nothing is planned or sent: {whose} {_span(abs(skew))} {way} Stripe's: {which} (NTP); it goes on by itself"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 2 * 3600 else f"{seconds / 60:.0f} minutes"
