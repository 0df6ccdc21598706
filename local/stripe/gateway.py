"""From an HTTP request to an endpoint's answer: key, idempotency, parameters, lane, transaction, Request-Id."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.stripe.answers import Answer, Answers, fingerprint
from local.stripe.auth import livemode_of
from local.stripe.clock import Clock
from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError, unknown_path
from local.stripe.forms import decode
from local.stripe.lanes import Lanes
from local.stripe.parameters import Params, parse, parse_json
from local.stripe.store import Store
from local.stripe.tokens import Token

_MEDIA_TYPES = {"v1": "application/x-www-form-urlencoded", "v2": "application/json"}


@dataclass(slots=True)
class Gateway:
    """What all requests share. `latency` (seconds) is how long each of Stripe's endpoints takes to answer."""

    store: Store
    clock: Clock
    token: Token
    latency: float
    answers: Answers
    lanes: Lanes = field(default_factory=Lanes)
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)

    def route(self, endpoint: Endpoint[Any]) -> Route:
        """The endpoint as a Starlette route."""

        async def respond(request: Request) -> Response:
            request_id = self._request_id()
            try:
                livemode = livemode_of(request.headers.get("authorization", ""))
                body = await request.body()
                answer = await self._answer(_Received(endpoint, request, body, livemode, request_id))
                response = _response(answer, request_id)
            except StripeError as error:
                response = _refusal(error, request_id, v2=endpoint.v2)
            self.requests[f"{endpoint.method} {endpoint.path}", response.status_code] += 1
            return response

        return Route(endpoint.path, respond, methods=[endpoint.method])

    async def unknown(self, request: Request, _: Exception) -> Response:
        """Stripe's answer where no endpoint has the method and path: an unknown caller learns nothing but that."""
        path = request.url.path
        try:
            livemode_of(request.headers.get("authorization", ""))
            error = unknown_path(request.method, path)
        except StripeError as refusal:
            error = refusal
        self.requests[f"{request.method} (unknown)", error.status] += 1
        return _refusal(error, self._request_id(), v2=path.startswith("/v2/"))

    async def _answer(self, received: "_Received") -> Answer:
        key = received.idempotency_key
        if key is None:
            return await self._perform(received)
        stored = self.answers.begin(
            key, livemode=received.livemode, fingerprint=received.fingerprint, now=self.clock.now()
        )
        if stored is not None:
            return stored
        try:
            return await self._perform(received)
        finally:
            self.answers.end(key, livemode=received.livemode)

    async def _perform(self, received: "_Received") -> Answer:
        endpoint, params = received.endpoint, received.params()
        path = received.request.path_params
        call = Call(self.store, received.livemode, self.clock.now(), self.token, path)
        lane = endpoint.lane(call, params) if endpoint.lane else None
        with self.lanes.hold(lane, v2=endpoint.v2):
            if self.latency > 0:
                await asyncio.sleep(self.latency)
            return self._execute(received, call, params)

    def _execute(self, received: "_Received", call: Call, params: Params) -> Answer:
        endpoint = received.endpoint
        try:
            with self.store.transaction():
                answer = Answer(200, _encoded(endpoint.handle(call, params)), received.request_id)
                self._keep(received, answer, call.time)
                return answer
        except StripeError as error:
            if error.executed and not endpoint.v2:
                with self.store.transaction():
                    answer = Answer(error.status, _encoded(error.v1_body()), received.request_id)
                    self._keep(received, answer, call.time)
            raise

    def _keep(self, received: "_Received", answer: Answer, now: float) -> None:
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


@dataclass(slots=True)
class _Received:
    """A request whose key and body have been read."""

    endpoint: Endpoint[Any]
    request: Request
    body: bytes
    livemode: bool
    request_id: str
    idempotency_key: str | None = None
    fingerprint: bytes = b""

    def __post_init__(self) -> None:
        if self.endpoint.method == "POST":
            self.idempotency_key = self.request.headers.get("idempotency-key") or None
        if self.idempotency_key is not None:
            self.fingerprint = fingerprint(self.endpoint.method, self.request.url.path, self.body)

    def params(self) -> Params:
        """The endpoint's parameters, checked.

        Raises:
            StripeError: 400.
        """
        if self.body:
            self._check_media_type()
        model: type[Params] = self.endpoint.params
        if self.endpoint.v2:
            return parse_json(model, self.body)
        encoded = self.body.decode(errors="replace") if self.endpoint.method == "POST" else self.request.url.query
        return parse(model, decode(encoded))

    def _check_media_type(self) -> None:
        expected = _MEDIA_TYPES["v2" if self.endpoint.v2 else "v1"]
        if self.request.headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
            raise StripeError(f"Invalid request (check that your POST content type is {expected}).")


def _response(answer: Answer, request_id: str) -> Response:
    headers = {"Request-Id": request_id}
    if answer.request_id != request_id:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": answer.request_id}
    return Response(answer.body, answer.status, headers, "application/json")


def _refusal(error: StripeError, request_id: str, *, v2: bool) -> Response:
    body = error.v2_body() if v2 else error.v1_body()
    return Response(_encoded(body), error.status, {"Request-Id": request_id} | error.headers, "application/json")


def _encoded(body: Json) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
