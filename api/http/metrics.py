"""`/metrics` for Prometheus: the number of requests, their statuses and their times, by route template."""

import time
from functools import cache
from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.describing import NOBODY, Tag
from api.http.problems import ProblemCode, describe

# Seconds: from one read on a fast network to a call to Stripe that times out.
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LINE = 'billing_api_requests_total{method="GET",route="/api/billing/usage",status="200"} 12.0'
_EXAMPLE: dict[str, Any] = {"content": {"text/plain": {"example": _LINE}}}


class RequestMetrics:
    """The metrics of requests. The number of label values is bounded: a caller's path or method never becomes one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "billing_api_requests", "Requests answered", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "billing_api_request_seconds",
            "Seconds from a request's arrival to the end of its answer",
            ("method", "route"),
            registry=registry,
            buckets=BUCKETS_SECONDS,
        )
        self._series = cache(self._make_series)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Counts a request that has ended; `status` 0: without an answer."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "unmatched")
        requests, duration = self._series(method, route, status)
        requests.inc()
        duration.observe(seconds)

    def _make_series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)


class Measured:
    """The outermost middleware: measures every request, with or without an answer."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 0, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.observe(scope, status, time.perf_counter() - began)


def metrics_routes(registry: CollectorRegistry) -> APIRouter:
    """Returns the address that Prometheus scrapes."""
    router = APIRouter(tags=[Tag.PLATFORM])

    @router.get(
        "/metrics",
        operation_id="metrics",
        response_class=PlainTextResponse,
        responses={200: _EXAMPLE, **describe(ProblemCode.MALFORMED_REQUEST)},
        openapi_extra=NOBODY,
    )
    async def metrics() -> Response:
        """Prometheus' text format: requests, how long they took, connections that were ended."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
