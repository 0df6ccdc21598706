"""The double, served in this process on a free loopback port, and a real stripe-python client to it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import stripe
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from local.stripe.app import create_app
from local.stripe.clock import StripeClock
from local.stripe.store import StripeStore
from local.stripe.wire import SeverableProtocol
from tests.support.eventually import eventually

from .exchanges import Exchange, Recorder

KEY = "sk_test_double"
LIVE_KEY = "sk_live_double"


def client_of(url: str, key: str = KEY) -> stripe.StripeClient:
    """stripe-python as the product uses it: httpx, its own retries off."""
    return stripe.StripeClient(
        key,
        http_client=stripe.HTTPXClient(allow_sync_methods=True, verify_ssl_certs=False),
        max_network_retries=0,
        base_addresses={"api": url, "meter_events": url},
    )


@dataclass
class Served:
    """A running double."""

    url: str
    exchanges: list[Exchange]

    def client(self, key: str = KEY) -> stripe.StripeClient:
        """A client with a key of its own."""
        return client_of(self.url, key)

    @property
    def live(self) -> stripe.StripeClient:
        """A client with a live key."""
        return self.client(LIVE_KEY)

    def stream(self) -> stripe.StripeClient:
        """A client that a fresh live session opens the stream for."""
        return self.client(self.live.v2.billing.meter_event_session.create().authentication_token)

    def control(self, path: str, body: Any = None) -> Any:
        """GET, or with a body POST, one of the double's own controls."""
        return control(self.url, path, body)

    @property
    def last(self) -> Exchange:
        """The exchange that ended last."""
        return self.exchanges[-1]


def control(url: str, path: str, body: Any = None) -> Any:
    """As `Served.control`, of any double."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{url}/_double/{path}", data, {"Content-Type": "application/json"})) as answer:  # noqa: S310
        return json.load(answer)


class Host:
    """One HTTP server for many doubles, one after the other: starting a server takes longer than a test."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whichever double is being tested."""
        assert self._app is not None
        await self._app(scope, receive, send)

    @contextmanager
    def running(self) -> Iterator["Host"]:
        """Serve in a thread."""
        self._loop = asyncio.new_event_loop()
        server = uvicorn.Server(
            uvicorn.Config(
                self,
                host="127.0.0.1",
                port=0,
                log_level="warning",
                lifespan="off",
                http=SeverableProtocol,
                date_header=False,
            )
        )
        thread = threading.Thread(target=self._loop.run_until_complete, args=(server.serve(),))
        thread.start()
        try:
            eventually(lambda: server.started)
            self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            yield self
        finally:
            server.should_exit = True
            thread.join()

    @contextmanager
    def serving(self) -> Iterator[Served]:
        """Serve a fresh double with an empty state in memory."""
        store = StripeStore()
        app = create_app(store, StripeClock())
        recorder = Recorder(app)
        self._app = recorder
        yield Served(self.url, recorder.exchanges)
        self._app = None
        asyncio.run_coroutine_threadsafe(app.state.courier.stop(), self._loop).result(timeout=10)
        store.close()
