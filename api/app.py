"""The API's wiring: makes everything that the API needs, once."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from api.callers.authentication import Authentication
from api.callers.rate_limit import POLICY, STANDING, RateLimit
from api.callers.session_cookie import OwnCookie
from api.dashboard.routes import dashboard_routes
from api.endpoints.daily import daily_routes
from api.endpoints.health import ALIVE, health_routes
from api.endpoints.periods import period_routes
from api.endpoints.portal import portal_routes
from api.endpoints.sessions import SignIn, session_routes
from api.endpoints.stripe_portal import StripePortal
from api.endpoints.usage import USAGE, UsageEndpoint, UsageReader, usage_routes
from api.endpoints.webhook import StripeEvents, webhook_routes
from api.forwarded import Forwarded
from api.http.error_handlers import InternalErrors, add_error_handlers
from api.http.fast_route import FastRoute
from api.http.head import Head
from api.http.metrics import Measured, RequestMetrics, metrics_routes
from api.http.overload import Turnstile
from api.reading.beating import keep_beating
from api.reading.freshness import AS_OF
from api.reading.history import HistoryReader
from api.reference.description import Descriptions
from api.reference.routes import reference_routes
from api.settings import ApiSettings
from ledger.batching_store import BatchingStore
from ledger.redis_store import RedisStore
from ledger.script import Store
from ledger.shard import Ledger
from runtime.redis import connect

COMPRESSED_FROM_BYTES = 1024  # bytes: days and periods are longer; totals and links are shorter, and fit into a packet
COMPRESSION = 5  # gzip's level: a long answer costs a millisecond; 9 costs several and saves only a few bytes more
_TRACING = (
    "X-Request-Id",
    "traceparent",
    "tracestate",
    "baggage",
)  # W3C Trace Context and Baggage: front-ends' tracing libraries add them by themselves

EXPOSED = (
    AS_OF,
    "ETag",
    "Retry-After",
    "Content-Disposition",
    "WWW-Authenticate",
    "X-Request-Id",  # a proxy's, where one adds it
    POLICY,
    STANDING,
)

_DESCRIPTION = """HEAD is answered wherever GET is, with the same status and headers and no body.

Any request may be refused before it is looked at, with a problem of the same kind as all others: 400
`malformed_request`, 408 `request_too_slow`, 431 `head_too_large`, 503 `overloaded`.
"""


def create_app(
    settings: ApiSettings,
    *,
    store: Store | None = None,
    stripe: StripePortal | None = None,
    now: Callable[[], float] = time.time,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """Returns the whole API as an ASGI application.

    Args:
        settings: the API's settings.
        store: holds the shards; default: the settings' Redis, closed when the application ends.
        stripe: opens portal sessions; default: made from the settings, closed with the application; none without a
            Stripe key.
        now: returns the time in Unix seconds.
        registry: the metrics that `/metrics` shows; default: a new registry.
    """
    closing = AsyncExitStack()
    if store is None:
        client = connect(settings)
        closing.push_async_callback(client.aclose)
        store = BatchingStore(client) if isinstance(client, Redis) else RedisStore(client)
    if stripe is None and settings.stripe_api_key.get_secret_value():
        stripe = StripePortal(settings)
        closing.push_async_callback(stripe.close)
    ledger = Ledger(store, settings.redis_prefix, settings.partitions)
    authenticate = Authentication(ledger, RateLimit(settings.rate_limit, now))
    usage = UsageEndpoint(authenticate, UsageReader(ledger, now))
    registry = registry or CollectorRegistry()
    app = FastAPI(
        title="Billing",
        summary="Usage of the current billing period, and the way to Stripe's billing portal",
        description=_DESCRIPTION,
        version="1",
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_url=None,  # api.reference serves both descriptions
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `/metrics` and our own log have it
        middleware=_middleware(settings, RequestMetrics(registry), usage),
        lifespan=_closing(closing, ledger),
    )
    add_error_handlers(app)
    app.include_router(usage_routes(usage))
    _add_routes(app, settings, authenticate, ledger, stripe, now)
    app.include_router(metrics_routes(registry))
    app.include_router(reference_routes(Descriptions(app)))
    return app


def _add_routes(
    app: FastAPI,
    settings: ApiSettings,
    authenticate: Authentication,
    ledger: Ledger,
    stripe: StripePortal | None,
    now: Callable[[], float],
) -> None:
    history = HistoryReader(ledger, now)
    sign_in = SignIn(ledger, settings.sign_in_limit, secrets.token_urlsafe)
    app.include_router(daily_routes(authenticate, history, now))
    app.include_router(period_routes(authenticate, history))
    app.include_router(portal_routes(authenticate, ledger, stripe, settings.portal_limit))
    app.include_router(session_routes(authenticate, ledger, sign_in))
    app.include_router(dashboard_routes())
    app.include_router(webhook_routes(ledger, StripeEvents(settings.stripe_webhook_secret)))
    app.include_router(health_routes(ledger, now, settings.fresh_seconds))


def _middleware(settings: ApiSettings, metrics: RequestMetrics, usage: UsageEndpoint) -> list[Middleware]:
    """Outermost first. So measured times include CORS, and all error answers carry CORS headers."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "HEAD"],
        allow_headers=["Authorization", "If-None-Match", *_TRACING],
        allow_credentials="*" not in settings.cors_origins,  # Fetch, 3.3.5: never for every origin
        expose_headers=list(EXPOSED),
    )
    return [
        Middleware(Measured, metrics=metrics),
        Middleware(Turnstile, most=settings.http_connections, always=ALIVE),
        Middleware(Forwarded, proxies=settings.trusted_proxies),
        Middleware(Head),
        *([cors] if settings.cors_origins else []),
        Middleware(InternalErrors),
        Middleware(OwnCookie),
        Middleware(FastRoute, path=USAGE, endpoint=usage.current_usage),
        Middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=COMPRESSION),
    ]


def _closing(closing: AsyncExitStack, ledger: Ledger) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with closing:
            beating = asyncio.create_task(keep_beating(ledger))
            try:
                yield
            finally:
                beating.cancel()

    return lifespan
