"""The Stripe client, and the transport that sends one row a call."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
import stripe

from metering.outcome import Ambiguous, Delivered, Outcome
from metering.row import Row
from runtime.settings import StripeSettings
from runtime.stripe import connect
from stripe_sync.stripe_api.event_body import event_body
from stripe_sync.stripe_api.outcomes import FAILURES, outcome_of

CALL_TIMEOUT_SECONDS = 30.0

Answered = Callable[[Mapping[str, str]], None]


def make_client(settings: StripeSettings) -> stripe.StripeClient:
    """A client for some calls."""
    return connect(settings, stripe.HTTPXClient(timeout=CALL_TIMEOUT_SECONDS))


@asynccontextmanager
async def worker_client(settings: StripeSettings, answered: Answered) -> AsyncIterator[stripe.StripeClient]:
    """The worker's client, for hundreds of calls a second; `answered` is given every answer's headers."""
    http = ManyCalls(answered=answered)
    try:
        yield connect(settings, http)
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]


class ManyCalls(stripe.AIOHTTPClient):
    """stripe-python on aiohttp, with a connection for every call: what may leave is decided by the rate limit alone.

    httpx looks at all its connections for every call, and stops at 100 of them: the next call would wait for one, and
    seem to have timed out.
    """

    def __init__(self, timeout: float = CALL_TIMEOUT_SECONDS, answered: Answered = lambda _headers: None) -> None:
        context = ssl.create_default_context(cafile=stripe.ca_bundle_path)
        limits = aiohttp.ClientTimeout(total=timeout)
        self._answered = answered
        super().__init__(timeout=limits, connector=aiohttp.TCPConnector(ssl=context, limit=0))

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One call; a connection that breaks within the answer's body is a connection error as well."""
        try:
            answer = await super().request_async(method, url, headers, post_data)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._handle_request_error(error)
        self._answered(answer[2])
        return answer


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
        except FAILURES as error:
            return outcome_of(error)
        if getattr(event, "identifier", None) != identifier:  # a 200 of whatever stands between us and Stripe
            return Ambiguous("a 200 that is not the meter event")
        return Delivered()
