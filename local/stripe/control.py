"""The double's own controls, under /_double/: none of this is Stripe's, and none of it needs a key."""

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from local.stripe.events import totals
from local.stripe.gateway import Gateway

CLOCK_OFFSET = "clock_offset"


class ClockMove(BaseModel):
    """Either `advance` (seconds) or `set` (Unix seconds)."""

    model_config = ConfigDict(extra="forbid")

    advance: float | None = None
    set: float | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "ClockMove":
        if (self.advance is None) == (self.set is None):
            raise ValueError("give either advance or set")
        return self


class ClockReading(BaseModel):
    """The double's time (Unix seconds), and how far it is from the real one (seconds)."""

    now: float
    offset: float


class Latency(BaseModel):
    """How long each of Stripe's endpoints takes, in seconds."""

    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[float, Field(ge=0, le=600)]


class UsageTotals(BaseModel):
    """The summed values of all accepted events: customer, then event name."""

    totals: dict[str, dict[str, int]]
    events: int


def control_routes(gateway: Gateway) -> APIRouter:
    """The control surface of one double."""
    router = APIRouter(prefix="/_double")
    _add_clock(router, gateway)
    _add_latency(router, gateway)
    _add_counts(router, gateway)
    return router


def _add_clock(router: APIRouter, gateway: Gateway) -> None:
    clock = gateway.clock

    @router.get("/clock")
    async def read_clock() -> ClockReading:
        return ClockReading(now=clock.now(), offset=clock.offset)

    @router.post("/clock")
    async def move_clock(move: ClockMove) -> ClockReading:
        if move.advance is not None:
            clock.advance(move.advance)
        if move.set is not None:
            clock.set(move.set)
        gateway.store.remember(CLOCK_OFFSET, repr(clock.offset))
        return ClockReading(now=clock.now(), offset=clock.offset)


def _add_latency(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/latency")
    async def read_latency() -> Latency:
        return Latency(seconds=gateway.latency)

    @router.post("/latency")
    async def set_latency(latency: Latency) -> Latency:
        gateway.latency = latency.seconds
        return latency


def _add_counts(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/usage")
    async def usage() -> UsageTotals:
        by_customer: dict[str, dict[str, int]] = defaultdict(dict)
        events = 0
        for customer, event_name, count, total in totals(gateway.store):
            by_customer[customer][event_name] = total
            events += count
        return UsageTotals(totals=by_customer, events=events)

    @router.get("/requests")
    async def requests() -> dict[str, dict[int, int]]:
        """Requests since the process started: endpoint, then status."""
        counts: dict[str, dict[int, int]] = defaultdict(dict)
        for (endpoint, status), count in sorted(gateway.requests.items()):
            counts[endpoint][status] = count
        return counts
