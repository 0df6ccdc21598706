"""`GET /api/billing/usage`: an account's units in the current billing period."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.callers import authentication
from api.callers.authentication import KEY_OR_SESSION, Authentication, Caller, Credential
from api.callers.rate_limit import RATE_HEADERS
from api.http.conditional import CACHE_CONTROL, NOT_MODIFIED, answer, digest
from api.http.describing import Tag
from api.http.problems import ProblemCode, describe
from api.reading.current_period import PeriodQueries, draw
from api.reading.freshness import AS_OF, ATTEMPTS, rfc3339_ms
from api.reading.shards import shard_of
from ledger.reading import AccountChangedError, NotReadyError, Totals, read_usage
from ledger.shard import Ledger
from metering.meters import CATALOGUE

USAGE = "/api/billing/usage"
KEPT = 10_000  # bodies, below 1 KB each: callers ask for most of them again before they change
_EXAMPLE_UNITS = (1250, 430, 890, 215, 340, 12)


class MeterTotal(BaseModel):
    """One meter's units."""

    model_config = ConfigDict(serialize_by_alias=True)

    meter: str
    display_name: str = Field(serialization_alias="displayName")
    total: int


class CurrentUsage(BaseModel):
    """All meters, in catalogue order."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    usage: list[MeterTotal]
    message: Literal["Usage for current billing period"] = "Usage for current billing period"


class UsageReader:
    """Reads the current billing period, usually in one round trip, as accounts seldom change."""

    def __init__(self, ledger: Ledger, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._now = now
        self._queries = PeriodQueries()

    async def current(self, account: str) -> Totals:
        """Returns the account's totals.

        Raises:
            NotReadyError: the shard is being folded, or the account's record changed at every attempt.
        """
        now, shard = int(self._now()), shard_of(self._ledger, account)
        query = self._queries.guess(account, now)
        for _ in range(ATTEMPTS):
            try:
                totals = await read_usage(shard, account, query.record, query.span, query.answer)
            except AccountChangedError as change:
                query = draw(change.record, now)
            else:
                self._queries.keep(account, replace(query, answer=totals))
                return totals
        raise NotReadyError


class UsageEndpoint:
    """`GET /api/billing/usage`."""

    def __init__(self, authenticate: Authentication, reader: UsageReader) -> None:
        self._authenticate = authenticate
        self._reader = reader

    async def current_usage(self, request: Request) -> Response:
        """Units per meter in the account's current billing period."""
        caller, totals = await callers_usage(self._authenticate.credential(request), self._authenticate, self._reader)
        body, tag = body_of(totals.units), tag_of(totals.units)
        headers = {**caller.headers, AS_OF: rfc3339_ms(totals.as_of_ms)}
        return answer(request, body, tag=tag, headers=headers)


def usage_routes(endpoint: UsageEndpoint) -> APIRouter:
    """Returns the endpoint with its description for OpenAPI."""
    router = APIRouter(tags=[Tag.USAGE])
    router.add_api_route(
        USAGE,
        endpoint.current_usage,
        operation_id="currentUsage",
        response_model=CurrentUsage,
        responses=_RESPONSES,
        openapi_extra=KEY_OR_SESSION,
    )
    return router


async def callers_usage(
    credential: Credential, authenticate: Authentication, reader: UsageReader
) -> tuple[Caller, Totals]:
    """Returns the caller, and the totals of the caller's account.

    If the account of the credential can be guessed, both are read at the same time, in one round trip. The totals of a
    guessed account are returned only after the credential's own shard has confirmed the guess.
    """
    likely = authenticate.likely_account(credential)
    if likely is None:
        caller = await authenticate.identify(credential)
        return caller, await reader.current(caller.account)
    reading = asyncio.create_task(reader.current(likely))
    try:
        caller = await authenticate.identify(credential)
        if caller.account == likely:
            return caller, await reading
    finally:
        reading.cancel()
        reading.add_done_callback(_forget)
    return caller, await reader.current(caller.account)


def _forget(reading: "asyncio.Task[Totals]") -> None:
    """Takes the task's error, so that asyncio does not log it as never retrieved."""
    if not reading.cancelled():
        reading.exception()


@lru_cache(maxsize=1024)  # sets of totals
def _usage(units: tuple[int, ...]) -> CurrentUsage:
    return CurrentUsage(
        usage=[
            MeterTotal(meter=meter.name, display_name=meter.display_name, total=total)
            for meter, total in zip(CATALOGUE, units, strict=True)
        ]
    )


def _template() -> str:
    """Returns the body with a placeholder for the meters' totals: nothing else in it ever changes."""
    body = _usage((0,) * len(CATALOGUE)).model_dump_json()
    return body.replace("%", "%%").replace('"total":0', '"total":%d')


_TEMPLATE = _template()


@lru_cache(maxsize=KEPT)
def body_of(units: tuple[int, ...]) -> bytes:
    """Returns the body for units in catalogue order."""
    return (_TEMPLATE % units).encode()


@lru_cache(maxsize=KEPT)
def tag_of(units: tuple[int, ...]) -> str:
    """Returns the entity tag of that body."""
    return f'"{digest(body_of(units))}"'


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            AS_OF: {
                "description": "The last moment at which everything had been counted",
                "schema": {"type": "string", "format": "date-time"},
            },
            "ETag": {"description": "Changes with the totals", "schema": {"type": "string"}},
            "Cache-Control": {"schema": {"type": "string", "const": CACHE_CONTROL}},
            **RATE_HEADERS,
        },
        "content": {"application/json": {"example": _usage(_EXAMPLE_UNITS).model_dump()}},
    },
    304: NOT_MODIFIED,
    **describe(*authentication.PROBLEMS, ProblemCode.NOT_READY, ProblemCode.STORE_UNAVAILABLE),
}
