"""Billing meters: /v1/billing/meters. At most one active meter per event name."""

from typing import Annotated, Literal

from pydantic import Field

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError
from local.stripe.kinds import METER
from local.stripe.objects import Objects, Page
from local.stripe.parameters import NoParams, Params

_PATH = "/v1/billing/meters"

PayloadKey = Annotated[str, Field(min_length=1, max_length=100)]
DisplayName = Annotated[str, Field(min_length=1, max_length=250)]


class Aggregation(Params):
    """The formula that combines values."""

    formula: Literal["sum", "count", "last"]


class CustomerMapping(Params):
    """The payload key that names the customer."""

    event_payload_key: PayloadKey
    type: Literal["by_id"]


class ValueSettings(Params):
    """The payload key that holds the value."""

    event_payload_key: PayloadKey


class MeterCreate(Params):
    """The parameters of a new meter; the payload keys have Stripe's defaults."""

    default_aggregation: Aggregation
    display_name: DisplayName
    event_name: PayloadKey
    event_time_window: Literal["day", "hour"] | None = None
    customer_mapping: CustomerMapping = CustomerMapping(event_payload_key="stripe_customer_id", type="by_id")
    value_settings: ValueSettings = ValueSettings(event_payload_key="value")


class MeterUpdate(Params):
    """The parameters that may change."""

    display_name: DisplayName | None = None


class MeterList(Page):
    """A page, of one status if given."""

    status: Literal["active", "inactive"] | None = None


def for_event_name(objects: Objects, event_name: str) -> Json | None:
    """Returns the active meter of an event name, else its newest inactive one; None if there is none."""
    newest = None
    for meter in objects.every(METER, owner=event_name):
        if meter["status"] == "active":
            return meter
        newest = newest or meter
    return newest


def create(call: Call, params: MeterCreate) -> Json:
    """A new, active meter."""
    _refuse_second(call, params.event_name)
    meter = {
        "id": f"mtr_{'' if call.livemode else 'test_'}{call.token(24)}",
        "object": METER,
        "created": call.now,
        "livemode": call.livemode,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": call.now,
        **params.model_dump(),
    }
    return call.objects.add(meter, owner=params.event_name)


def retrieve(call: Call, _: NoParams) -> Json:
    """The meter."""
    return call.objects.at_path(METER, call.path["id"])


def list_all(call: Call, params: MeterList) -> Json:
    """A page of meters, newest first."""
    matches = None if params.status is None else lambda body: bool(body["status"] == params.status)
    return call.objects.page(METER, params, _PATH, wanted=matches)


def update(call: Call, params: MeterUpdate) -> Json:
    """Rename a meter."""
    return _changed(call, params.model_dump(exclude_none=True))


def deactivate(call: Call, _: NoParams) -> Json:
    """Archive: events for it are refused from now on."""
    if retrieve(call, _)["status"] == "inactive":
        raise StripeError("The meter is already inactive.", executed=True)
    return _changed(call, {"status": "inactive", "status_transitions": {"deactivated_at": call.now}})


def reactivate(call: Call, _: NoParams) -> Json:
    """Accept events again, unless another meter has taken the event name."""
    meter = retrieve(call, _)
    if meter["status"] == "active":
        raise StripeError("The meter is already active.", executed=True)
    _refuse_second(call, meter["event_name"])
    return _changed(call, {"status": "active", "status_transitions": {"deactivated_at": None}})


def _changed(call: Call, changes: Json) -> Json:
    return call.objects.replace(retrieve(call, NoParams()) | changes | {"updated": call.now})


def _refuse_second(call: Call, event_name: str) -> None:
    present = for_event_name(call.objects, event_name)
    if present is not None and present["status"] == "active":
        message = f"An active meter with the event name '{event_name}' already exists: {present['id']}."
        raise StripeError(message, param="event_name", executed=True)


ENDPOINTS = (
    Endpoint("POST", _PATH, MeterCreate, create),
    Endpoint("GET", _PATH, MeterList, list_all),
    Endpoint("GET", _PATH + "/{id}", NoParams, retrieve),
    Endpoint("POST", _PATH + "/{id}", MeterUpdate, update),
    Endpoint("POST", _PATH + "/{id}/deactivate", NoParams, deactivate),
    Endpoint("POST", _PATH + "/{id}/reactivate", NoParams, reactivate),
)
