"""The session that opens Stripe's meter event stream: a token for 15 minutes, renewed before it ends."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import stripe

from metering.outcome import Outcome, Park, RetryLater, StopWorker
from runtime.clock import Clock
from stripe_sync.stripe_api.outcomes import outcome_of

RENEW_BEFORE_SECONDS = 60.0  # longer than any request that has just been given the token


@dataclass(slots=True)
class Session:
    """A token. `until` is by the monotonic clock; `proven` once Stripe has accepted it."""

    token: str
    until: float
    proven: bool = False


class NoSessionError(Exception):
    """There is none now. No row was sent; `outcome` is what that means for each."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class Sessions:
    """Gives the current session to everybody; makes the next one when it is time."""

    def __init__(self, client: stripe.StripeClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._current: Session | None = None
        self._attempt: asyncio.Task[Session] | None = None

    async def current(self) -> Session:
        """A session that lasts for at least another minute. Whoever asks while one is being made waits for that one.

        Raises:
            NoSessionError: Stripe does not give one.
        """
        if self._current and self._clock.monotonic() < self._current.until - RENEW_BEFORE_SECONDS:
            return self._current
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._renew())
            self._attempt.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._attempt)

    async def _renew(self) -> Session:
        try:
            self._current = await self._make()
            return self._current
        finally:
            self._attempt = None

    def forget(self, session: Session) -> None:
        """Stripe does not accept it any more; a newer one stays."""
        if self._current is session:
            self._current = None

    async def _make(self) -> Session:
        began = self._clock.monotonic()
        try:
            made = await self._client.v2.billing.meter_event_session.create_async()
            return Session(made.authentication_token, began + _lifetime(made))
        except (stripe.StripeError, ValueError, TypeError, AttributeError) as error:  # or a 200 that is no session
            raise NoSessionError(_outcome(error)) from error


def _lifetime(session: stripe.v2.billing.MeterEventSession) -> float:
    """Seconds, by Stripe's clock alone: ours may be another."""
    return (datetime.fromisoformat(session.expires_at) - datetime.fromisoformat(session.created)).total_seconds()


def _outcome(error: Exception) -> Outcome:
    """No row was sent, so nothing is ambiguous; and what Stripe refuses for good, it refuses to the key."""
    outcome = outcome_of(error)
    match outcome:
        case StopWorker() | RetryLater():
            return outcome
        case Park(_, detail):
            return StopWorker(f"Stripe gives this key no meter event session: {detail}")
        case _:
            return RetryLater(f"no meter event session: {outcome}")
