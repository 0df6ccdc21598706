"""What a worker shows of itself over HTTP: `/healthz` for its supervisor, `/metrics` for Prometheus."""

import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

STALE_SECONDS = 60.0  # longer than any retry that ends well: a worker that is silent for so long is stuck


class Pulse:
    """Beats with every piece of work that went well; a worker is alive while it beats."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = monotonic()

    def beat(self) -> None:
        """Something went well."""
        self._last = self._monotonic()

    def silent_seconds(self) -> float:
        """How long nothing went well."""
        return self._monotonic() - self._last


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Health checks are not worth a line each."""


def start_monitor(host: str, port: int, registry: CollectorRegistry, pulse: Pulse) -> WSGIServer:
    """Serves both pages from a thread of its own, so that a stuck event loop can still be seen from outside."""
    metrics = make_wsgi_app(registry)

    def pages(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        if environ["PATH_INFO"] != "/healthz":
            return _answer(start_response, HTTPStatus.NOT_FOUND, "not found")
        silent = pulse.silent_seconds()
        if silent > STALE_SECONDS:
            return _answer(start_response, HTTPStatus.SERVICE_UNAVAILABLE, f"nothing went well for {silent:.0f} s")
        return _answer(start_response, HTTPStatus.OK, "ok")

    server = make_server(host, port, pages, handler_class=_QuietHandler)
    threading.Thread(target=server.serve_forever, name="monitor", daemon=True).start()
    return server


def _answer(start_response: StartResponse, status: HTTPStatus, text: str) -> Iterable[bytes]:
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
