"""The transport for high volumes: Stripe's v2 meter event stream, up to 100 rows a request, verdicts later.

Stripe answers `{}` once it has the rows, whatever they are worth: delivered means accepted here as everywhere, and the
hourly comparison tells what was not counted. A duplicate identifier is dropped without a word, which is what a row that
is sent again needs. The stream has no rule of one call at a time per customer and meter: that one is the single
endpoints' alone.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

import stripe

from metering.outcome import Ambiguous, Delivered, Outcome, RetryLater, StopWorker
from metering.row import Row
from runtime.clock import Clock
from stripe_sync.errors import StripeStoppedError
from stripe_sync.stripe_api.event_body import event_body
from stripe_sync.stripe_api.outcomes import FAILURES, outcome_of
from stripe_sync.stripe_api.stream_session import NoSessionError, Session, Sessions

PATH = "/v2/billing/meter_event_stream"
MOST_EVENTS = 100  # Stripe, of one request
LINGER_SECONDS = 0.02  # rows that are sent together share a request


@dataclass(slots=True, eq=False)
class _Waiting:
    """A row on its way into a request, and who waits for the answer."""

    row: Row
    identifier: str
    answer: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class StreamTransport:
    """Gathers rows that are sent at about the same time into one request; its answer is each row's."""

    def __init__(self, client: stripe.StripeClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._sessions = Sessions(client, clock)
        self._waiting: list[_Waiting] = []
        self._requests: set[asyncio.Task[None]] = set()

    async def check(self) -> None:
        """Opens the first session.

        Raises:
            StripeStoppedError: Stripe does not open the stream to this key.
        """
        try:
            await self._sessions.current()
        except NoSessionError as error:
            if isinstance(error.outcome, StopWorker):
                raise StripeStoppedError(error.outcome.reason) from error

    async def send(self, row: Row, identifier: str) -> Outcome:
        """Sends the row's frozen body with whatever goes at the same time.

        Who is cancelled before the request has begun takes its row with it.
        """
        waiting = _Waiting(row, identifier)
        self._waiting.append(waiting)
        if len(self._waiting) == MOST_EVENTS:
            self._start(self._flush(self._take()))
        elif len(self._waiting) == 1:
            self._start(self._linger(self._waiting))
        return await waiting.answer

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._requests.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._requests.discard)

    def _take(self) -> list[_Waiting]:
        rows, self._waiting = self._waiting, []
        return rows

    async def _linger(self, rows: list[_Waiting]) -> None:
        await self._clock.sleep(LINGER_SECONDS)
        if self._waiting is rows:  # else they were a hundred before
            await self._flush(self._take())

    async def _flush(self, rows: list[_Waiting]) -> None:
        """Sends what has gathered. Every row is answered, whatever happens."""
        try:
            await self._deliver(rows)
        finally:
            _answer(rows, Ambiguous("the request was given up"))

    async def _deliver(self, rows: list[_Waiting]) -> None:
        try:
            session = await self._sessions.current()
        except NoSessionError as error:
            _answer(rows, error.outcome)
            return
        rows = [waiting for waiting in rows if not waiting.answer.done()]  # cancelled meanwhile
        outcome = await self._request(session, rows) if rows else None
        if outcome is not None:
            _answer(rows, outcome)
        elif len(rows) > 1:
            half = len(rows) // 2
            await asyncio.gather(self._deliver(rows[:half]), self._deliver(rows[half:]))

    async def _request(self, session: Session, rows: list[_Waiting]) -> Outcome | None:
        """One answer for all rows; None where one of several spoils the request."""
        events = [event_body(waiting.row, waiting.identifier) for waiting in rows]
        try:
            answer = await self._client.raw_request_async(
                "post", PATH, base="meter_events", api_key=session.token, events=events
            )
        except FAILURES as error:
            if isinstance(error, stripe.InvalidRequestError) and error.http_status == 400 and len(rows) > 1:
                return None
            return self._failed(session, error)
        session.proven = True
        if answer.data != {}:  # a 200 of whatever stands between us and Stripe
            return Ambiguous("a 200 that is not the stream's")
        return Delivered()

    def _failed(self, session: Session, error: Exception) -> Outcome:
        if not isinstance(error, stripe.StripeError) or error.http_status != 401:
            return outcome_of(error)
        self._sessions.forget(session)
        if session.proven or isinstance(error, stripe.TemporarySessionExpiredError):
            return RetryLater("the session has ended")
        return outcome_of(error)  # a token that was never good: the next one would not be either


def _answer(rows: list[_Waiting], outcome: Outcome) -> None:
    for waiting in rows:
        if not waiting.answer.done():
            waiting.answer.set_result(outcome)
