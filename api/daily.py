"""`GET /api/billing/usage/daily`: an account's units day by day, as JSON or as CSV."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from api import authentication
from api.accepted import preferred
from api.answers import NOT_MODIFIED, answer, digest
from api.authentication import OR_SESSION, Authenticate, Caller
from api.daily_csv import CSV, csv_of
from api.history import HistoryReader, MeterHistory, PeriodBounds, Reading, meters_of
from api.problems import ProblemCode, ProblemError, describe
from api.rate_limit import RATE_HEADERS
from api.slots import KEPT_DAYS, Slots, SlotUnits, day_slots, earliest_day
from api.usage import AS_OF, rfc3339_ms
from metering.account import Account
from metering.meters import BY_NAME, CATALOGUE
from metering.period import Period, period_containing
from metering.span import DAY_SECONDS

JSON = "application/json"
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date(text: object) -> object:
    """RFC 3339's full-date and nothing else that a date could be read from."""
    if isinstance(text, str) and not _DATE.fullmatch(text):
        raise ValueError("a date looks like 2026-06-30")
    return text


def _meter(name: str) -> str:
    if name not in BY_NAME:
        raise ValueError(f"the meters are {', '.join(BY_NAME)}")
    return name


Day = Annotated[date, BeforeValidator(_date)]
MeterName = Annotated[str, AfterValidator(_meter), WithJsonSchema({"type": "string", "enum": list(BY_NAME)})]


class DayUsage(BaseModel):
    """The meters asked for on one UTC day, in catalogue order."""

    date: date
    usage: list[MeterHistory]


class DailyUsage(BaseModel):
    """Every day from `start` to `end`; `asOf` is the last moment at which everything had been counted."""

    model_config = ConfigDict(serialize_by_alias=True)

    start: date
    end: date
    days: list[DayUsage]
    period: PeriodBounds = Field(description="the current billing period")
    as_of: str = Field(serialization_alias="asOf", json_schema_extra={"format": "date-time"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: days (numbers since the epoch, both included) and meters."""

    first: int
    last: int
    meters: frozenset[str]


def daily_routes(authenticate: Authenticate, reader: HistoryReader, now: Callable[[], float]) -> APIRouter:
    """The endpoint."""
    router = APIRouter()

    @router.get(
        "/api/billing/usage/daily",
        operation_id="dailyUsage",
        response_model=DailyUsage,
        responses=_RESPONSES,
        openapi_extra=OR_SESSION,
    )
    async def daily_usage(
        request: Request,
        caller: Annotated[Caller, Depends(authenticate)],
        start: Annotated[Day, Query(description="the first day, UTC")],
        end: Annotated[Day, Query(description="the last day, UTC, included")],
        meter: Annotated[Sequence[MeterName], Query(description="only these meters; default: all")] = (),
    ) -> Response:
        """Units per meter and UTC day, days without usage included; as JSON, or as CSV with `Accept: text/csv`.

        Units are kept for 70 days: the range lies between the first day of which everything is kept and today.
        """
        asked = checked(start, end, meter, int(now()))
        shown = _daily(asked, await reader.read(caller.account, _drawing(asked)))
        kind = preferred(request.headers.getlist("accept"), (JSON, CSV))
        body = shown.model_dump_json().encode() if kind == JSON else csv_of(shown.days)
        stable = shown.model_dump_json(exclude={"as_of"}).encode()
        headers = {**caller.headers, AS_OF: shown.as_of, "Vary": "Accept"}
        if kind == CSV:
            headers["Content-Disposition"] = f'attachment; filename="usage-{start}-to-{end}.csv"'
        return answer(request, body, tag=f'W/"{digest(kind.encode() + stable)}"', headers=headers, media_type=kind)

    return router


def checked(start: date, end: date, meters: Sequence[str], now: int) -> Asked:
    """What is asked for, if it can be told.

    Raises:
        ProblemError: `validation_error`: the range is upside down, or reaches beyond what is kept.
    """
    earliest, today = earliest_day(now), now // DAY_SECONDS
    asked = Asked(start.toordinal() - _EPOCH_DAY, end.toordinal() - _EPOCH_DAY, frozenset(meters or BY_NAME))
    if not earliest <= asked.first <= asked.last <= today:
        detail = (
            f"start and end are days from {_day(earliest)} to {_day(today)}, start not after end: "
            f"usage is kept for {KEPT_DAYS} days."
        )
        raise ProblemError(ProblemCode.VALIDATION_ERROR, detail)
    return asked


def _drawing(asked: Asked) -> Callable[[Account, int], tuple[Period, Slots]]:
    def draw(account: Account, now: int) -> tuple[Period, Slots]:
        return period_containing(now, account.anchor), day_slots(asked.first, asked.last, account)

    return draw


def _daily(asked: Asked, reading: Reading[Period]) -> DailyUsage:
    days = [
        DayUsage(date=_day(day), usage=[each for each in meters_of(units) if each.meter in asked.meters])
        for day, units in zip(range(asked.first, asked.last + 1), reading.units, strict=True)
    ]
    return DailyUsage(
        start=_day(asked.first),
        end=_day(asked.last),
        days=days,
        period=PeriodBounds.of(reading.drawn),
        as_of=rfc3339_ms(reading.as_of_ms),
    )


def _day(number: int) -> date:
    return datetime.fromtimestamp(number * DAY_SECONDS, UTC).date()


def _example() -> DailyUsage:
    zeros = (0,) * len(CATALOGUE)
    units = SlotUnits((125, 43, 89, 21, 34, 1), zeros, (120, 43, 89, 21, 34, 1), zeros)
    reading = Reading(Period(1_781_514_000, 1_784_106_000), [units], 1_781_956_800_123)
    return _daily(Asked(20_624, 20_624, frozenset({"sms.send", "voice.ai"})), reading)


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            AS_OF: {"schema": {"type": "string", "format": "date-time"}},
            "ETag": {"description": "Changes with everything but `asOf`", "schema": {"type": "string"}},
            "Content-Disposition": {"description": "A file name, for CSV", "schema": {"type": "string"}},
            **RATE_HEADERS,
        },
        "content": {
            JSON: {"example": _example().model_dump(mode="json")},
            CSV: {"schema": {"type": "string"}, "example": csv_of(_example().days).decode()},
        },
    },
    304: NOT_MODIFIED,
    **describe(
        *authentication.PROBLEMS, ProblemCode.VALIDATION_ERROR, ProblemCode.NOT_READY, ProblemCode.STORE_UNAVAILABLE
    ),
}
