"""The API in this process, called over ASGI with its lifespan running, and what its answers look like."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from ledger.script import Script, Store
from metering.meters import CATALOGUE
from tests.api.folded import PARTITIONS

USAGE = "/api/billing/usage"
PORTAL = "/api/billing/portal"
PERIODS = "/api/billing/periods"
DAILY = "/api/billing/usage/daily?start=2026-06-01&end=2026-06-20"
SESSION = "/dashboard/session"


def unix(text: str) -> int:
    """The Unix second of an ISO date or date-time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = unix("2026-06-20T12:00:00")


def settings_of(redis_url: str, redis_prefix: str, **more: Any) -> ApiSettings:
    """Settings that do not depend on the environment."""
    fixed = {"stripe_api_key": "", "stripe_webhook_secret": "", "portal_return_url": "", "cors_origins": ()}
    return ApiSettings(**{**fixed, **more}, redis_url=redis_url, redis_prefix=redis_prefix, partitions=PARTITIONS)


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that is up."""
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://billing.test") as client,
    ):
        yield client


@asynccontextmanager
async def calling(
    settings: ApiSettings, *, store: Store | None = None, now: Callable[[], float] = lambda: NOW
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API under these settings, at a fixed time."""
    async with client_of(create_app(settings, store=store, now=now)) as client:
        yield client


class Interposed:
    """A store that lets a test act before a script runs, and notes which requests ran: not the process's own beat."""

    def __init__(self, store: Store, before: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._store = store
        self._before = before
        self.ran: list[str] = []

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Passes the script on."""
        if self._before is not None:
            await self._before(script.name)
        if script.name != "beat":
            self.ran.append(script.name)
        return await self._store.run(script, keys, args)


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


def totals(answer: httpx.Response) -> dict[str, int]:
    """The meters that are not zero."""
    assert answer.status_code == 200, answer.text
    assert [each["meter"] for each in answer.json()["usage"]] == [meter.name for meter in CATALOGUE]
    return {each["meter"]: each["total"] for each in answer.json()["usage"] if each["total"]}


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    """The answer is a problem of this code, and nothing else."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert list(body) == ["type", "title", "status", "detail", "code"]
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"].endswith(code)
    assert body["title"]
    assert body["detail"]
