"""`GET /api/billing/usage`: an account's units in the current billing period."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api import authentication
from api.authentication import Authenticate
from api.problems import ProblemCode, describe
from api.question import Questions, draw
from api.shards import shard_of
from ledger.reading import AccountChangedError, NotReadyError, Totals, read_usage
from ledger.shard import Ledger
from metering.meters import CATALOGUE

AS_OF = "X-Usage-As-Of"
CACHE_CONTROL = "private, no-cache"  # keep it, but ask each time: a 304 costs no body
ATTEMPTS = 4  # the first guess, and a record that changes again while the question is drawn
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    """Reads the current billing period; it usually takes one round trip, since accounts seldom change."""

    def __init__(self, ledger: Ledger, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._now = now
        self._questions = Questions()

    async def current(self, account: str) -> Totals:
        """The account's totals.

        Raises:
            NotReadyError: the shard is being folded, or the account's record would not stay the same.
        """
        now, shard = int(self._now()), shard_of(self._ledger, account)
        question = self._questions.guess(account, now)
        for _ in range(ATTEMPTS):
            try:
                totals = await read_usage(shard, account, question.record, question.span)
            except AccountChangedError as change:
                question = draw(change.record, now)
            else:
                self._questions.keep(account, question)
                return totals
        raise NotReadyError


def usage_routes(authenticate: Authenticate, reader: UsageReader) -> APIRouter:
    """The endpoint."""
    router = APIRouter()

    @router.get("/api/billing/usage", operation_id="currentUsage", response_model=CurrentUsage, responses=_RESPONSES)
    async def current_usage(request: Request, account: Annotated[str, Depends(authenticate)]) -> Response:
        """Units per meter in the account's current billing period."""
        totals = await reader.current(account)
        body = body_of(totals.units)
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {AS_OF: rfc3339_ms(totals.as_of_ms), "Cache-Control": CACHE_CONTROL, "ETag": tag}
        if _matches(request.headers.getlist("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    return router


def body_of(units: tuple[int, ...]) -> bytes:
    """The body for units in catalogue order."""
    return _usage(units).model_dump_json().encode()


def rfc3339_ms(unix_ms: int) -> str:
    """Unix milliseconds as RFC 3339 in UTC, with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _usage(units: tuple[int, ...]) -> CurrentUsage:
    return CurrentUsage(
        usage=[
            MeterTotal(meter=meter.name, display_name=meter.display_name, total=total)
            for meter, total in zip(CATALOGUE, units, strict=True)
        ]
    )


def _matches(if_none_match: list[str], tag: str) -> bool:
    """RFC 9110, 13.1.2: a weak comparison with any of the tags, or `*`."""
    asked = [each.strip().removeprefix("W/") for field in if_none_match for each in field.split(",")]
    return tag in asked or asked == ["*"]


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            AS_OF: {
                "description": "The last moment at which everything had been counted",
                "schema": {"type": "string", "format": "date-time"},
            },
            "ETag": {"description": "Changes with the totals", "schema": {"type": "string"}},
            "Cache-Control": {"schema": {"type": "string", "const": CACHE_CONTROL}},
        },
        "content": {"application/json": {"example": _usage(_EXAMPLE_UNITS).model_dump()}},
    },
    304: {"description": "Not modified: If-None-Match names the current ETag"},
    **describe(*authentication.PROBLEMS, ProblemCode.NOT_READY, ProblemCode.STORE_UNAVAILABLE),
}
