"""The reference services: an endpoint per carrier, which answers once the events are safe."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client import CollectorRegistry, Counter, make_asgi_app

from .._delivery import Outcome
from ..aio import AsyncUsageEmitter
from ..errors import InvalidEventError, SpoolError
from ..protocol import Emitter
from ..telephony import SignatureError, Usage
from .carriers import KINDS, Read, Webhook
from .settings import Settings, e164

Opening = Callable[[], AbstractAsyncContextManager[Any]]
"""Makes an emitter for asyncio."""

RETRY_SECONDS = "60"


def create_app(kind: str, settings: Settings, *, opening: Opening | None = None) -> FastAPI:
    """Returns a service for `sms` or `voice`: `POST /twilio` and so on, for all carriers whose secret is set.

    It answers 204 once the usage is safe, 403 if the carrier has not signed the request, and 422 if it is not a report.
    It answers 503, so that the carrier sends the report again, if the number's account is not known, or if neither
    Kafka nor the disk takes more.
    """
    registry = CollectorRegistry()
    refused = Counter("usage_webhooks_refused", "Callbacks that were not taken.", ["carrier", "why"], registry=registry)
    open_emitter = opening or (lambda: AsyncUsageEmitter(settings.emitter, registry=registry))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_emitter() as emitter:
            app.state.emitter = emitter
            yield

    app = FastAPI(title=f"Usage of {kind} carriers", lifespan=lifespan, openapi_url=None)
    app.mount("/metrics", make_asgi_app(registry))
    for carrier, secret in settings.secrets.items():
        handler = _Handler(carrier, KINDS[kind][carrier], secret, settings, f"/{kind}/{carrier}", refused)
        app.add_api_route(f"/{carrier}", handler.take, methods=["POST"], status_code=204)
    return app


class _Handler:
    """One carrier's endpoint."""

    def __init__(
        self, carrier: str, read: Read, secret: str, settings: Settings, source: str, refused: Counter
    ) -> None:
        self._carrier = carrier
        self._read = read
        self._secret = secret
        self._settings = settings
        self._source = source
        self._refused = refused

    async def take(self, request: Request) -> Response:
        """Takes a callback."""
        try:
            usage = self._read(await self._webhook(request), self._secret)
            await self._emit(request.app.state.emitter, usage)
        except SignatureError as error:
            raise self._refuse("signature", 403, error) from error
        except InvalidEventError as error:
            raise self._refuse("invalid", 422, error) from error
        except LookupError as error:
            raise self._refuse("account", 503, error) from error
        except (SpoolError, OSError) as error:
            raise self._refuse("spool", 503, error) from error
        return Response(status_code=204)

    async def _webhook(self, request: Request) -> Webhook:
        query = f"?{request.url.query}" if request.url.query else ""
        url = f"{self._settings.public_url}{request.url.path}{query}"
        return Webhook(url, request.headers, await request.body(), time.time())

    async def _emit(self, emitter: Emitter[asyncio.Future[Outcome]], usage: tuple[Usage, ...]) -> None:
        accounts = [self._account(each.number) for each in usage]  # look up all accounts before the first emit
        await asyncio.gather(
            *(each.emit(emitter, account, source=self._source) for each, account in zip(usage, accounts, strict=True))
        )

    def _account(self, number: str) -> str:
        account = self._settings.accounts.get(e164(number))
        if account is None:
            raise LookupError(f"no account has the number {number}: add it to USAGE_ACCOUNTS")
        return account

    def _refuse(self, why: str, status: int, error: Exception) -> HTTPException:
        self._refused.labels(self._carrier, why).inc()
        headers = {"Retry-After": RETRY_SECONDS} if status == 503 else None
        return HTTPException(status, str(error.args[0] if error.args else error), headers)
