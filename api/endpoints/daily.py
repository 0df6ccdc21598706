"""`GET /api/billing/usage/daily` and `/daily.csv`: an account's units day by day, as JSON and as a file."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from api.callers import authentication
from api.callers.authentication import OR_SESSION, Authenticate, Caller
from api.callers.rate_limit import RATE_HEADERS
from api.endpoints.daily_csv import CSV, CSV_BODY, csv_of
from api.http.conditional import NOT_MODIFIED, answer, digest
from api.http.describing import Tag
from api.http.parameters import only_known
from api.http.problems import ProblemCode, ProblemError, describe
from api.reading.freshness import AS_OF, rfc3339_ms
from api.reading.history import HistoryReader, MeterHistory, PeriodBounds, Reading, meters_of
from api.reading.ranges import KEPT_DAYS, Slots, SlotUnits, day_slots, earliest_day
from metering.account import Account
from metering.meters import BY_NAME, CATALOGUE
from metering.period import Period, period_containing
from metering.span import DAY_SECONDS

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date(text: object) -> object:
    """Accepts only RFC 3339's full-date; pydantic would also accept other forms of a date."""
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
    """The days (numbers since the epoch, both included) and meters that a request asks for."""

    first: int
    last: int
    meters: frozenset[str]


@dataclass(frozen=True, slots=True)
class ShownDays:
    """The answer for a caller, before it becomes JSON or CSV."""

    caller: Caller
    usage: DailyUsage

    @property
    def tag(self) -> str:
        """Returns the weak entity tag of everything but `asOf`."""
        return f'W/"{digest(self.usage.model_dump_json(exclude={"as_of"}).encode())}"'

    @property
    def headers(self) -> dict[str, str]:
        """Returns the headers of both forms."""
        return {**self.caller.headers, AS_OF: self.usage.as_of}


class CsvResponse(Response):
    """Tells OpenAPI the media type of the file."""

    media_type = CSV


def daily_routes(authenticate: Authenticate, reader: HistoryReader, now: Callable[[], float]) -> APIRouter:
    """Returns both endpoints: the same numbers, as JSON and as CSV."""
    router = APIRouter(tags=[Tag.USAGE])

    async def read(
        caller: Annotated[Caller, Depends(authenticate)],
        _: Annotated[None, Depends(only_known("start", "end", "meter"))],
        start: Annotated[Day, Query(description="the first day, UTC")],
        end: Annotated[Day, Query(description="the last day, UTC, included")],
        meter: Annotated[
            Sequence[MeterName], Query(description="only these meters; default: all", max_length=len(CATALOGUE))
        ] = (),
    ) -> ShownDays:
        asked = checked(start, end, meter, int(now()))
        return ShownDays(caller, _daily(asked, await reader.read(caller.account, _drawing(asked))))

    @router.get(
        "/api/billing/usage/daily",
        operation_id="dailyUsage",
        response_model=DailyUsage,
        responses=_responses("application/json", {"example": _example().model_dump(mode="json")}),
        openapi_extra=OR_SESSION,
    )
    async def daily_usage(request: Request, shown: Annotated[ShownDays, Depends(read)]) -> Response:
        """Units per meter and UTC day, days without usage included.

        Units are kept for 70 days: the range lies between the first day of which everything is kept and today.
        """
        return answer(request, shown.usage.model_dump_json().encode(), tag=shown.tag, headers=shown.headers)

    @router.get(
        "/api/billing/usage/daily.csv",
        operation_id="dailyUsageFile",
        response_class=CsvResponse,
        responses=_responses(CSV, CSV_BODY, **_FILE_NAME),
        openapi_extra=OR_SESSION,
    )
    async def daily_usage_file(request: Request, shown: Annotated[ShownDays, Depends(read)]) -> Response:
        """The same figures as a CSV file (RFC 4180), a line per day and meter."""
        name = f'attachment; filename="usage-{shown.usage.start}-to-{shown.usage.end}.csv"'
        headers = {**shown.headers, "Content-Disposition": name}
        return answer(request, csv_of(shown.usage.days), tag=shown.tag, headers=headers, media_type=CSV)

    return router


def checked(start: date, end: date, meters: Sequence[str], now: int) -> Asked:
    """Checks the range of days, and returns it as numbers.

    Raises:
        ProblemError: `validation_error`: the end is before the start, or the range reaches beyond the days kept.
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


_FILE_NAME: dict[str, Any] = {"Content-Disposition": {"description": "A file name", "schema": {"type": "string"}}}


def _responses(kind: str, body: dict[str, Any], **more_headers: Any) -> dict[int | str, dict[str, Any]]:
    headers = {
        AS_OF: {"schema": {"type": "string", "format": "date-time"}},
        "ETag": {"description": "Changes with everything but `asOf`", "schema": {"type": "string"}},
        **RATE_HEADERS,
        **more_headers,
    }
    return {
        200: {"headers": headers, "content": {kind: body}},
        304: NOT_MODIFIED,
        **describe(
            *authentication.PROBLEMS, ProblemCode.VALIDATION_ERROR, ProblemCode.NOT_READY, ProblemCode.STORE_UNAVAILABLE
        ),
    }
