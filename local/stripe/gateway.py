"""Handles a request before and after its endpoint: faults, key, idempotency, lane, transaction, Request-Id."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.stripe.answers import Answers, StripeAnswer
from local.stripe.auth import bearer_of, livemode_of
from local.stripe.clock import StripeClock
from local.stripe.courier import WebhookCourier
from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError, unknown_path
from local.stripe.fault_answers import refusal_of, spoiled
from local.stripe.faults import EXECUTED, Fault, Faults, Rule
from local.stripe.lanes import Lanes
from local.stripe.parameters import Params
from local.stripe.rates import Rates
from local.stripe.received import Received
from local.stripe.sessions import livemode_of_session
from local.stripe.settings import Settings, keep
from local.stripe.sightings import Sightings
from local.stripe.store import StripeStore
from local.stripe.tokens import Token
from local.stripe.visibility import Visibility


@dataclass(slots=True)
class Gateway:
    """The objects that all requests share. `latency`: seconds that Stripe's endpoints take to answer."""

    store: StripeStore
    clock: StripeClock
    token: Token
    latency: float
    settings: Settings
    answers: Answers
    visibility: Visibility
    courier: WebhookCourier
    faults: Faults = field(default_factory=Faults)
    lanes: Lanes = field(default_factory=Lanes)
    rates: Rates = field(default_factory=Rates)
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)

    def route(self, endpoint: Endpoint[Any]) -> Route:
        """Returns the endpoint as a Starlette route."""

        async def respond(request: Request) -> Response:
            received = Received(endpoint, request, await request.body(), self._request_id())
            rule = self.faults.next(endpoint.method, received)
            response = await (self._respond(received) if rule is None else self._disturbed(received, rule))
            response.headers["Date"] = formatdate(self.clock.now(), usegmt=True)
            self.requests[f"{endpoint.method} {endpoint.path}", response.status_code] += 1
            if endpoint.by_session:
                self.courier.wake(self.settings)
            return response

        return Route(endpoint.path, respond, methods=[endpoint.method])

    async def unknown(self, request: Request, _: Exception) -> Response:
        """Returns Stripe's answer for an unknown method or path; a caller without a key gets 401 instead."""
        path = request.url.path
        try:
            livemode_of(bearer_of(request.headers.get("authorization", "")))
            error = unknown_path(request.method, path)
        except StripeError as refusal:
            error = refusal
        self.requests[f"{request.method} (unknown)", error.status] += 1
        return _refusal(error, self._request_id(), v2=path.startswith("/v2/"))

    def change(self, settings: Settings) -> None:
        """Applies the settings from now on, and keeps them for the next start."""
        self.settle()
        self.settings = settings
        keep(self.store, settings)
        self.courier.wake(settings)

    def settle(self) -> None:
        """Freezes the events that summaries show. Call it before the clock or the lag changes."""
        self.visibility.settle(self.clock.now(), self.settings.summary_lag)

    async def _respond(self, received: Received, *, slow: float = 0.0) -> Response:
        try:
            received.livemode = self._livemode(received)
            return _response(await self._answer(received, slow), received.request_id)
        except StripeError as error:
            return _refusal(error, received.request_id, v2=received.endpoint.v2)

    async def _disturbed(self, received: Received, rule: Rule) -> Response:
        if rule.fault in EXECUTED:
            response = await self._respond(received, slow=rule.seconds if rule.fault is Fault.SLOW else 0.0)
        else:
            self._only_sight(received)
            response = Response()
        error = refusal_of(rule, v2=received.endpoint.v2)
        if error is not None:
            response = _refusal(error, received.request_id, v2=received.endpoint.v2)
        return spoiled(rule, response)

    def _livemode(self, received: Received) -> bool:
        if received.endpoint.by_session:
            return livemode_of_session(self.store, received.bearer, self.clock.now())
        return livemode_of(received.bearer)

    async def _answer(self, received: Received, slow: float) -> StripeAnswer:
        key, livemode, now = received.idempotency_key, received.livemode, self.clock.now()
        if key is None:
            return await self._perform(received, slow)
        stored = self.answers.begin(key, livemode=livemode, fingerprint=received.fingerprint, now=now)
        if stored is not None:
            self._only_sight(received)
            return stored
        try:
            return await self._perform(received, slow)
        finally:
            self.answers.end(key, livemode=livemode)

    async def _perform(self, received: Received, slow: float) -> StripeAnswer:
        endpoint, params = received.endpoint, received.params()
        call = self._call(received)
        try:
            with self.lanes.hold(endpoint.lane(call, params) if endpoint.lane else None, v2=endpoint.v2):
                if self.latency + slow > 0:
                    await asyncio.sleep(self.latency + slow)
                return self._execute(received, call, params)
        except StripeError as error:
            self._note_refusal(received, call, params, error)
            raise

    def _call(self, received: Received) -> Call:
        now = self.clock.now()
        return Call(
            self.store,
            received.livemode,
            now,
            self.token,
            received.names,
            self.settings,
            self.rates,
            self.visibility.shown(now, self.settings.summary_lag),
        )

    def _execute(self, received: Received, call: Call, params: Params) -> StripeAnswer:
        with self.store.transaction():
            self._sight(received, call, params)
            answer = StripeAnswer(200, _encoded(received.endpoint.handle(call, params)), received.request_id)
            self._keep(received, answer, call.time)
            return answer

    def _note_refusal(self, received: Received, call: Call, params: Params, error: StripeError) -> None:
        """Stores the traces of a refusal (sightings and the stored answer) after the rest was rolled back."""
        with self.store.transaction():
            self._sight(received, call, params)
            if error.executed and not received.endpoint.v2:
                self._keep(
                    received, StripeAnswer(error.status, _encoded(error.v1_body()), received.request_id), call.time
                )

    def _sight(self, received: Received, call: Call, params: Params) -> None:
        if received.endpoint.sightings is not None:
            seen = received.endpoint.sightings(params)
            Sightings(self.store).record(seen, livemode=call.livemode, now=call.time)

    def _only_sight(self, received: Received) -> None:
        """Records the meter events of a request that is not executed, if it can be read."""
        try:
            received.livemode = self._livemode(received)
            with self.store.transaction():
                self._sight(received, self._call(received), received.params())
        except StripeError:
            return

    def _keep(self, received: Received, answer: StripeAnswer, now: float) -> None:
        if received.idempotency_key is not None:
            self.answers.keep(
                received.idempotency_key,
                answer,
                livemode=received.livemode,
                fingerprint=received.fingerprint,
                now=now,
            )

    def _request_id(self) -> str:
        return f"req_{self.token(14)}"


def _response(answer: StripeAnswer, request_id: str) -> Response:
    headers = {"Request-Id": request_id}
    if answer.request_id != request_id:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": answer.request_id}
    return Response(answer.body, answer.status, headers, "application/json")


def _refusal(error: StripeError, request_id: str, *, v2: bool) -> Response:
    body = error.v2_body() if v2 else error.v1_body()
    return Response(_encoded(body), error.status, {"Request-Id": request_id} | error.headers, "application/json")


def _encoded(body: Json) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
