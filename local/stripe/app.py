"""The double's wiring: the list of endpoints, and the objects that they share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from local.stripe import (
    account,
    core_events,
    customers,
    event_summaries,
    meter_events,
    meters,
    portal,
    prices,
    products,
    sessions,
    stream,
    subscription_updates,
    subscriptions,
)
from local.stripe.answers import Answers
from local.stripe.clock import StripeClock
from local.stripe.control import control_routes
from local.stripe.courier import WebhookCourier
from local.stripe.endpoint import Endpoint
from local.stripe.gateway import Gateway
from local.stripe.settings import load
from local.stripe.store import StripeStore
from local.stripe.tokens import Token, random_token
from local.stripe.visibility import Visibility

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    *meter_events.ENDPOINTS,
    *stream.ENDPOINTS,
    *account.ENDPOINTS,
    *core_events.ENDPOINTS,
    *customers.ENDPOINTS,
    *event_summaries.ENDPOINTS,
    *meters.ENDPOINTS,
    *portal.ENDPOINTS,
    *prices.ENDPOINTS,
    *products.ENDPOINTS,
    *sessions.ENDPOINTS,
    *subscription_updates.ENDPOINTS,
    *subscriptions.ENDPOINTS,
)


def create_app(store: StripeStore, clock: StripeClock, *, latency: float = 0.0, token: Token = random_token) -> FastAPI:
    """Returns the double as an application.

    `latency` is the time that Stripe's endpoints take to answer, in seconds; `token` is the source of random ids. The
    caller owns the store, and closes it.
    """
    settings, courier = load(store), WebhookCourier(store, clock, token)
    gateway = Gateway(store, clock, token, latency, settings, Answers(store), Visibility(store), courier)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        courier.wake(gateway.settings)
        yield
        await courier.stop()

    app = FastAPI(
        title="Stripe double",
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={404: gateway.unknown, 405: gateway.unknown},
        lifespan=lifespan,
        routes=[gateway.route(endpoint) for endpoint in ENDPOINTS],
    )
    app.state.courier = courier
    app.include_router(control_routes(gateway))

    @app.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    return app
