"""Every call that a worker makes to the log, to Redis or to Stripe passes through one function of the test's."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import httpx

from ledger.script import Script, Store
from stripe_sync.push_log.log import PushLog, PushLogBounds, Read

T = TypeVar("T")


class Intercept(Protocol):
    """What happens at a call: `perform` does it, if and when the test wants."""

    async def __call__(self, name: str, perform: Callable[[], Awaitable[T]]) -> T:
        """The call's result."""
        ...


async def undisturbed(name: str, perform: Callable[[], Awaitable[T]]) -> T:
    """Nothing happens."""
    return await perform()


class InterceptedStore:
    """A store; calls are named `redis <script>`."""

    def __init__(self, store: Store, intercept: Intercept) -> None:
        self._store, self._intercept = store, intercept

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Runs a script."""
        return await self._intercept(f"redis {script.name}", lambda: self._store.run(script, keys, args))


class InterceptedLog:
    """A push log; calls are named `log append`, `log bounds`, `log read`."""

    def __init__(self, log: PushLog, intercept: Intercept) -> None:
        self._log, self._intercept = log, intercept

    def name(self, shard: int) -> str:
        """Topic and partition."""
        return self._log.name(shard)

    async def append(self, shard: int, value: bytes) -> int:
        """Appends."""
        return await self._intercept("log append", lambda: self._log.append(shard, value))

    async def bounds(self, shard: int) -> PushLogBounds:
        """The bounds."""
        return await self._intercept("log bounds", lambda: self._log.bounds(shard))

    async def read(self, shard: int, start: int, end: int) -> Read:
        """Reads."""
        return await self._intercept("log read", lambda: self._log.read(shard, start, end))


class InterceptedHttp(httpx.AsyncBaseTransport):
    """HTTP; calls are named `stripe GET /path`."""

    def __init__(self, transport: httpx.AsyncBaseTransport, intercept: Intercept) -> None:
        self._transport, self._intercept = transport, intercept

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request."""
        name = f"stripe {request.method} {request.url.path}"
        return await self._intercept(name, lambda: self._transport.handle_async_request(request))
