"""What a worker shows of itself over HTTP: `/healthz` for its supervisor, `/metrics` for Prometheus."""

import threading
import time
from collections.abc import Callable
from http import HTTPStatus

import uvicorn
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.http_server import HttpBounds, listen, server_config

STALE_SECONDS = 60.0  # longer than any retry that ends well: a worker that is silent for so long is stuck
BOUNDS = HttpBounds(  # for a supervisor and some scrapers; whoever is silent keeps nobody out
    connections=32, connections_of_one=32, head_bytes=8192, client_seconds=5.0, idle_seconds=5.0
)


class Pulse:
    """Beats with every piece of work that went well; a worker is alive while it beats."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = monotonic()
        self.told: Callable[[], list[str]] = list  # what the service knows to be wrong, though the process is well

    def beat(self) -> None:
        """Something went well."""
        self._last = self._monotonic()

    def silent_seconds(self) -> float:
        """How long nothing went well."""
        return self._monotonic() - self._last

    def words(self) -> str:
        """What a worker that is alive says of itself, and of what it looks after."""
        return "; ".join(["ok", *self.told()])


class Monitor:
    """The server of both pages, in a thread of its own: a stuck event loop can still be seen from outside."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(server_config(app, BOUNDS, lifespan="off", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="monitor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._server.should_exit = True
        self._thread.join()


def start_monitor(host: str, port: int, registry: CollectorRegistry, pulse: Pulse) -> Monitor:
    """Serves both pages; raises `ListenError` where the address is taken."""
    metrics = make_asgi_app(registry)

    async def pages(scope: Scope, receive: Receive, send: Send) -> None:
        page: ASGIApp = metrics if scope["path"] == "/metrics" else _page(scope["path"], pulse)
        await page(scope, receive, send)

    return Monitor(pages, host, port)


def _page(path: str, pulse: Pulse) -> PlainTextResponse:
    if path != "/healthz":
        return PlainTextResponse("not found\n", HTTPStatus.NOT_FOUND)
    silent = pulse.silent_seconds()
    if silent > STALE_SECONDS:
        return PlainTextResponse(f"nothing went well for {silent:.0f} s\n", HTTPStatus.SERVICE_UNAVAILABLE)
    return PlainTextResponse(f"{pulse.words()}\n")
