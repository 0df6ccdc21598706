"""The API's HTTP server: limits the clients' connections, and answers with a problem beyond the limits."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp

from api.http.problems import MEDIA_TYPE, ProblemCode, problem_of
from api.settings import ApiSettings
from runtime.http_protocol import Body, ConnectionEnd
from runtime.http_server import server_config
from runtime.monitor import Pulse

SHUTDOWN_SECONDS = 15  # seconds: longer than the longest call (Stripe, 10 s)
_PROBLEMS = {
    ConnectionEnd.MALFORMED: ProblemCode.MALFORMED_REQUEST,
    ConnectionEnd.HEAD_TOO_LARGE: ProblemCode.HEAD_TOO_LARGE,
    ConnectionEnd.TOO_SLOW: ProblemCode.REQUEST_TOO_SLOW,
    ConnectionEnd.CROWDED: ProblemCode.OVERLOADED,
    ConnectionEnd.FULL: ProblemCode.OVERLOADED,
}


class ApiServer(uvicorn.Server):
    """Beats a pulse ten times a second, so that the watchdog notices a loop that hangs.

    `failure` is the error that ended the server; None if it was asked to stop.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.pulse = Pulse()
        self.failure: Exception | None = None
        self._needs: Callable[[], Awaitable[None]] | None = None
        self._waiting: asyncio.Task[None] | None = None

    def first(self, needs: Callable[[], Awaitable[None]]) -> None:
        """Sets a task to wait for while the server serves. The server ends if the task fails."""
        self._needs = needs

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to serve, and starts the task of `first`."""
        await super().startup(sockets)
        if self._needs is not None:
            self._waiting = asyncio.create_task(self._wait_for(self._needs))

    async def _wait_for(self, needs: Callable[[], Awaitable[None]]) -> None:
        try:
            await needs()
        except Exception as error:  # raised again by `api.__main__`
            self.failure, self.should_exit = error, True

    async def on_tick(self, counter: int) -> bool:
        """Beats the pulse; uvicorn calls this ten times a second."""
        self.pulse.beat()
        return await super().on_tick(counter)


def api_server(app: ASGIApp, settings: ApiSettings, registry: CollectorRegistry) -> "ApiServer":
    """Returns a server for the application; it counts the connections that it ends in the registry."""
    ended = Counter(
        "billing_api_connections_ended",
        "Connections that were ended for what their client did, or did not do in time",
        ("reason",),
        registry=registry,
    )
    for reason in ConnectionEnd:
        ended.labels(reason)
    config = server_config(
        app,
        settings.bounds,
        explain=_explain,
        ended=lambda reason: ended.labels(reason).inc(),
        unbounded=settings.trusted_proxies.trusts,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return ApiServer(config)


def _explain(ended: ConnectionEnd) -> Body:
    return Body(MEDIA_TYPE, problem_of(_PROBLEMS[ended]).model_dump_json().encode())
