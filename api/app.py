"""The API's wiring: everything it needs is made or taken here, once."""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.authentication import Authentication
from api.daily import daily_routes
from api.dashboard.routes import dashboard_routes
from api.error_handlers import InternalErrors, add_error_handlers
from api.health import health_routes
from api.history import HistoryReader
from api.metrics import Measured, RequestMetrics, metrics_routes
from api.openapi import describing
from api.periods import period_routes
from api.portal import portal_routes
from api.rate_limit import POLICY, STANDING, RateLimit
from api.sessions import SignIn, session_routes
from api.settings import ApiSettings
from api.shortcut import Shortcut
from api.stripe_portal import StripePortal
from api.usage import AS_OF, USAGE, UsageEndpoint, UsageReader, usage_routes
from api.webhook import StripeEvents, webhook_routes
from ledger.batching_store import BatchingStore
from ledger.redis_store import RedisStore
from ledger.script import Store
from ledger.shard import Ledger
from runtime.redis import connect


def create_app(
    settings: ApiSettings,
    *,
    store: Store | None = None,
    stripe: StripePortal | None = None,
    now: Callable[[], float] = time.time,
) -> FastAPI:
    """The whole API as an ASGI application.

    Args:
        settings: what it is told from outside.
        store: where the shards are; default: the settings' Redis, closed when the application ends.
        stripe: the portal; default: by the settings, closed with the application, or none without a Stripe key.
        now: the time in Unix seconds.
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
    registry = CollectorRegistry()
    app = FastAPI(
        title="Billing",
        summary="Usage of the current billing period, and the way to Stripe's billing portal",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `/metrics` and our own log tell it
        middleware=_middleware(settings, RequestMetrics(registry), usage),
        lifespan=_closing(closing),
    )
    add_error_handlers(app)
    app.openapi = describing(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    app.include_router(usage_routes(usage))
    _add_routes(app, settings, authenticate, ledger, stripe, now)
    app.include_router(metrics_routes(registry))
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
    app.include_router(portal_routes(authenticate, ledger, stripe))
    app.include_router(session_routes(authenticate, ledger, sign_in))
    app.include_router(dashboard_routes())
    app.include_router(webhook_routes(ledger, StripeEvents(settings.stripe_webhook_secret)))
    app.include_router(health_routes(ledger, now, settings.fresh_seconds))


def _middleware(settings: ApiSettings, metrics: RequestMetrics, usage: UsageEndpoint) -> list[Middleware]:
    """Outermost first: what is measured includes CORS, and every error answer carries CORS headers."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET"],
        allow_headers=["Authorization", "If-None-Match"],
        allow_credentials="*" not in settings.cors_origins,  # Fetch, 3.3.5: never for every origin
        expose_headers=[AS_OF, "ETag", "Retry-After", "Content-Disposition", POLICY, STANDING],
    )
    return [
        Middleware(Measured, metrics=metrics),
        *([cors] if settings.cors_origins else []),
        Middleware(InternalErrors),
        Middleware(Shortcut, path=USAGE, endpoint=usage.current_usage),
    ]


def _closing(closing: AsyncExitStack) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with closing:
            yield

    return lifespan
