"""A Stripe that gives one answer to everything: for refusals that the double, whose state is sound, never gives."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tests.support.eventually import POLL_SECONDS

SECRET = "acct_1SecretOfThePlatform"  # noqa: S105 - what must not be told to customers


def error(kind: str, message: str, **more: str) -> bytes:
    """The body of a v1 error."""
    return json.dumps({"error": {"type": kind, "message": f"{message} ({SECRET})", **more}}).encode()


@dataclass
class OneAnswer:
    """An ASGI application; `forms` are the request bodies that it has seen."""

    status: int
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    forms: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        if scope["type"] == "http":
            self.forms.append(await Request(scope, receive).body())
            await Response(self.body, self.status, self.headers, "application/json")(scope, receive, send)


@dataclass
class Held:
    """An ASGI application that keeps requests waiting until it is released: how many now, at most, in all."""

    body: bytes
    arrived: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    held: int = 0
    most: int = 0
    seen: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers late."""
        if scope["type"] == "http":
            self.arrived.set()
            self.held, self.seen = self.held + 1, self.seen + 1
            self.most = max(self.most, self.held)
            await asyncio.to_thread(self.release.wait)
            self.held -= 1
            await Response(self.body, 200, media_type="application/json")(scope, receive, send)


async def trickle(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer that goes on and on without ever being complete: no single read of it times out."""

    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(POLL_SECONDS)

    if scope["type"] == "http":
        await StreamingResponse(drops(), media_type="application/json")(scope, receive, send)
