"""The Stripe client, and the transport that sends one row a call."""

from typing import Protocol

import stripe

from metering.outcome import Ambiguous, Delivered, Outcome
from metering.row import Row
from runtime.settings import StripeSettings
from runtime.stripe import connect
from stripe_sync.event_body import event_body
from stripe_sync.outcomes import outcome_of

CALL_TIMEOUT_SECONDS = 30.0


def make_client(settings: StripeSettings) -> stripe.StripeClient:
    """The worker's client."""
    return connect(settings, stripe.HTTPXClient(timeout=CALL_TIMEOUT_SECONDS))


class Transport(Protocol):
    """Brings a row to Stripe."""

    async def send(self, row: Row, identifier: str) -> Outcome:
        """What came of it; never raises for what Stripe or the network does."""
        ...


class SingleTransport:
    """Stripe's v2 synchronous meter event endpoint: one call, one verdict."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    async def send(self, row: Row, identifier: str) -> Outcome:
        """Sends the row's frozen body: the same bytes each time."""
        try:
            event = await self._client.v2.billing.meter_events.create_async(event_body(row, identifier))
        except (stripe.StripeError, ValueError) as error:  # stripe-python raises ValueError for bytes that are no text
            return outcome_of(error)
        if getattr(event, "identifier", None) != identifier:  # a 200 of whatever stands between us and Stripe
            return Ambiguous("a 200 that is not the meter event")
        return Delivered()
