"""The double's own controls, under /_double/: none of this is Stripe's, and none of it needs a key."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from local.stripe.control_checks import add_checks
from local.stripe.deliveries import WebhookDeliveries
from local.stripe.faults import Faults, Rule
from local.stripe.gateway import Gateway
from local.stripe.settings import Settings

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


class ActiveRule(Rule):
    """A rule, how often it has fired, and whether it is over."""

    fired: int
    spent: bool


def control_routes(gateway: Gateway) -> APIRouter:
    """The control surface of one double."""
    router = APIRouter(prefix="/_double")
    _add_clock(router, gateway)
    _add_latency(router, gateway)
    _add_settings(router, gateway)
    _add_faults(router, gateway.faults)
    add_checks(router, gateway)
    return router


def _add_clock(router: APIRouter, gateway: Gateway) -> None:
    clock = gateway.clock

    @router.get("/clock")
    async def read_clock() -> ClockReading:
        return ClockReading(now=clock.now(), offset=clock.offset)

    @router.post("/clock")
    async def move_clock(move: ClockMove) -> ClockReading:
        gateway.settle()
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


def _add_settings(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/settings")
    async def read_settings() -> Settings:
        return gateway.settings

    @router.post("/settings")
    async def change_settings(changes: dict[str, Any]) -> Settings:
        """Only what is named changes."""
        try:
            gateway.change(gateway.settings.changed(changes))
        except ValidationError as error:
            raise HTTPException(422, error.errors(include_url=False, include_context=False)) from None
        return gateway.settings

    @router.get("/deliveries")
    async def deliveries() -> dict[str, int]:
        """Webhook deliveries by state, and all attempts."""
        return WebhookDeliveries(gateway.store).counts()


def _add_faults(router: APIRouter, faults: Faults) -> None:
    def script() -> list[ActiveRule]:
        return [ActiveRule(**each.rule.model_dump(), fired=each.fired, spent=each.spent) for each in faults.scripted]

    @router.get("/faults")
    async def read_faults() -> list[ActiveRule]:
        return script()

    @router.post("/faults")
    async def add_faults(rules: list[Rule]) -> list[ActiveRule]:
        """Append; the first rule that fires decides."""
        faults.add(rules)
        return script()

    @router.delete("/faults")
    async def clear_faults() -> list[ActiveRule]:
        faults.clear()
        return script()
