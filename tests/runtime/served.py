"""A server of ours with an application that tests can hold, and what it says of the connections that it ended."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from runtime.http_protocol import ConnectionEnd
from runtime.http_server import HttpBounds, server_config
from tests.support.http_serving import Client, running

PATIENT = HttpBounds(connections=100, connections_of_one=100, head_bytes=2048, client_seconds=60, idle_seconds=60)
HURRIED = replace(PATIENT, client_seconds=0.3)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LONG_ANSWER = 32 * 1024 * 1024  # more than two sockets hold


@dataclass
class Application:
    """Reads the body, but of `/unread`, and answers; `/held` waits to be released, `/long` has a long answer."""

    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    release: threading.Event = field(default_factory=threading.Event)
    cut_off: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        if scope["type"] != "http":
            return
        try:
            body = b"" if scope["path"] == "/unread" else await Request(scope, receive).body()
        except ClientDisconnect:
            self.cut_off.set()
            return
        if scope["path"] == "/held":
            self.arrived.release()
            await asyncio.to_thread(self.release.wait)
        text = "x" * LONG_ANSWER if scope["path"] == "/long" else f"{len(body)} bytes"
        await PlainTextResponse(text)(scope, receive, send)


@dataclass
class Served:
    """A server, and what it says of the connections that it ended."""

    url: str
    app: Application
    ended: Counter[ConnectionEnd]

    def client(self, *sent: bytes, source: str = "127.0.0.1") -> Client:
        """One that has sent this."""
        client = Client(self.url, source=source)
        for data in sent:
            client.send(data)
        return client


@contextmanager
def served(bounds: HttpBounds, unbounded: frozenset[str] = frozenset()) -> Iterator[Served]:
    """The application within bounds."""
    app, ended = Application(), Counter[ConnectionEnd]()
    config = server_config(
        app,
        bounds,
        ended=lambda reason: ended.update([reason]),
        unbounded=unbounded.__contains__,
        host="127.0.0.1",
        port=0,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    with running(uvicorn.Server(config)) as url:
        try:
            yield Served(url, app, ended)
        finally:
            app.release.set()


def head(fields: bytes) -> bytes:
    """A request with these header fields."""
    return b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n"
