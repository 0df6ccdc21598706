"""`GET /api/billing/periods`: the current billing period, and the past ones whose units are all kept."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.callers import authentication
from api.callers.authentication import OR_SESSION, Authenticate, Caller
from api.callers.rate_limit import RATE_HEADERS
from api.http.conditional import NOT_MODIFIED, answer, digest
from api.http.describing import Tag
from api.http.parameters import only_known
from api.http.problems import ProblemCode, describe
from api.reading.freshness import AS_OF, rfc3339_ms
from api.reading.history import HistoryReader, MeterHistory, PeriodBounds, Reading, meters_of
from api.reading.ranges import Slots, SlotUnits, period_slots, shown_periods
from metering.account import Account
from metering.meters import CATALOGUE
from metering.period import Period


class PeriodUsage(PeriodBounds):
    """All meters in one billing period, in catalogue order."""

    usage: list[MeterHistory]


class BillingPeriods(BaseModel):
    """Billing periods, the current one first; `asOf` is the last moment at which everything had been counted."""

    model_config = ConfigDict(serialize_by_alias=True)

    period: PeriodBounds = Field(description="the current billing period")
    periods: list[PeriodUsage]
    as_of: str = Field(serialization_alias="asOf", json_schema_extra={"format": "date-time"})


def period_routes(authenticate: Authenticate, reader: HistoryReader) -> APIRouter:
    """Returns the endpoint."""
    router = APIRouter(tags=[Tag.USAGE])

    @router.get(
        "/api/billing/periods",
        operation_id="periods",
        response_model=BillingPeriods,
        responses=_RESPONSES,
        openapi_extra=OR_SESSION,
    )
    async def periods(
        request: Request,
        caller: Annotated[Caller, Depends(authenticate)],
        _: Annotated[None, Depends(only_known())],
    ) -> Response:
        """Units per meter in the current billing period and in past ones, with what of them Stripe has accepted.

        Units are kept for 70 days. A past period is shown while it lies wholly inside them.
        """
        shown = _periods(await reader.read(caller.account, _draw))
        tag = f'W/"{digest(shown.model_dump_json(exclude={"as_of"}).encode())}"'
        headers = {**caller.headers, AS_OF: shown.as_of}
        return answer(request, shown.model_dump_json().encode(), tag=tag, headers=headers)

    return router


def _draw(account: Account, now: int) -> tuple[list[Period], Slots]:
    shown = shown_periods(now, account.anchor)
    return shown, period_slots(shown, account)


def _periods(reading: Reading[list[Period]]) -> BillingPeriods:
    latest_first = reversed(reading.units)
    return BillingPeriods(
        period=PeriodBounds.of(reading.drawn[0]),
        periods=[
            PeriodUsage(**PeriodBounds.of(period).model_dump(), usage=meters_of(units))
            for period, units in zip(reading.drawn, latest_first, strict=True)
        ],
        as_of=rfc3339_ms(reading.as_of_ms),
    )


def _example() -> dict[str, Any]:
    zeros = (0,) * len(CATALOGUE)
    units = SlotUnits((1250, 430, 890, 215, 340, 12), zeros, (1200, 430, 870, 215, 340, 12), (40, *zeros[1:]))
    period = Period(1_781_514_000, 1_784_106_000)
    return _periods(Reading([period], [units], 1_781_956_800_123)).model_dump()


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            AS_OF: {"schema": {"type": "string", "format": "date-time"}},
            "ETag": {"description": "Changes with everything but `asOf`", "schema": {"type": "string"}},
            **RATE_HEADERS,
        },
        "content": {"application/json": {"example": _example()}},
    },
    304: NOT_MODIFIED,
    **describe(
        *authentication.PROBLEMS, ProblemCode.VALIDATION_ERROR, ProblemCode.NOT_READY, ProblemCode.STORE_UNAVAILABLE
    ),
}
