"""Meter events: POST /v1/billing/meter_events and POST /v2/billing/meter_events.

Both versions share the rules, the identifiers and the one call at a time per customer and meter.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from local.stripe.acceptance import Offer, Reason, RefusedError, accept
from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError
from local.stripe.kinds import CUSTOMER
from local.stripe.lanes import Lane
from local.stripe.meters import for_event_name
from local.stripe.parameters import Params, UnixTime
from local.stripe.sightings import Sighting, sighting
from local.stripe.timestamps import rfc3339, seconds_of

# Source: Stripe's reference, "max length 100".
Short = Annotated[str, Field(min_length=1, max_length=100)]


class MeterEvent(Params):
    """The parameters of both versions."""

    event_name: Short
    identifier: Short | None = None
    payload: dict[str, Annotated[str, Field(max_length=100)]]


class MeterEventV1(MeterEvent):
    """The timestamp is in Unix seconds."""

    timestamp: UnixTime | None = None


def _checked(timestamp: str) -> str:
    seconds_of(timestamp)
    return timestamp


class MeterEventV2(MeterEvent):
    """The timestamp is RFC 3339."""

    timestamp: Annotated[str, AfterValidator(_checked)] | None = None


def create_v1(call: Call, params: MeterEventV1) -> Json:
    """Counts an event, or refuses it like v1: for most reasons, only the message tells the reason."""
    offer = offer_of(call, params)
    try:
        _count(call, offer, v2=False)
    except RefusedError as refused:
        code = "resource_missing" if refused.reason is Reason.UNKNOWN_CUSTOMER else None
        param = None if refused.reason is Reason.DUPLICATE else refused.param
        raise StripeError(refused.message, code=code, param=param, executed=True) from None
    return {
        "object": "billing.meter_event",
        "created": call.now,
        "event_name": offer.event_name,
        "identifier": offer.identifier,
        "livemode": call.livemode,
        "payload": offer.payload,
        "timestamp": int(offer.timestamp),
    }


def create_v2(call: Call, params: MeterEventV2) -> Json:
    """Counts an event, or refuses it with the reason as the code."""
    offer = offer_of(call, params)
    try:
        _count(call, offer, v2=True)
    except RefusedError as refused:
        raise StripeError(refused.message, type=None, code=refused.reason, executed=True) from None
    return {
        "object": "v2.billing.meter_event",
        "created": rfc3339(datetime.fromtimestamp(call.time, UTC)),
        "event_name": offer.event_name,
        "identifier": offer.identifier,
        "livemode": call.livemode,
        "payload": offer.payload,
        "timestamp": rfc3339(datetime.fromtimestamp(offer.timestamp, UTC)),
    }


def lane(call: Call, params: MeterEvent) -> Lane | None:
    """Returns the lane (customer and meter) that the call holds; None if the event names no customer."""
    meter = for_event_name(call.objects, params.event_name)
    if meter is None:
        return None
    customer = params.payload.get(meter["customer_mapping"]["event_payload_key"])
    return None if customer is None else (call.livemode, params.event_name, customer)


def offer_of(call: Call, event: MeterEventV1 | MeterEventV2) -> Offer:
    """Returns the event, with defaults for a missing identifier (random) and timestamp (now)."""
    at = _seconds(event)
    if at is None:
        at = float(call.now) if isinstance(event, MeterEventV1) else call.time
    return Offer(event.identifier or call.token(32), event.event_name, event.payload, at)


def sighting_of(event: MeterEventV1 | MeterEventV2) -> list[Sighting]:
    """Returns the sighting of an event with an identifier. Equal events in v1 and v2 have equal sightings."""
    if event.identifier is None:
        return []
    return [sighting(event.identifier, event.event_name, sorted(event.payload.items()), _seconds(event))]


def _seconds(event: MeterEventV1 | MeterEventV2) -> float | None:
    if event.timestamp is None:
        return None
    return float(event.timestamp) if isinstance(event, MeterEventV1) else seconds_of(event.timestamp)


def _count(call: Call, offer: Offer, *, v2: bool) -> None:
    call.rates.take("calls", 1, call.settings.calls_per_second, v2=v2)
    usage = accept(
        offer,
        for_event_name(call.objects, offer.event_name),
        now=call.time,
        customer_exists=lambda customer: call.objects.exists(CUSTOMER, customer),
        identifier_taken=lambda identifier: call.events.taken(identifier, now=call.time),
    )
    call.events.append(usage, received=call.time)


ENDPOINTS = (
    Endpoint("POST", "/v1/billing/meter_events", MeterEventV1, create_v1, lane, sighting_of),
    Endpoint("POST", "/v2/billing/meter_events", MeterEventV2, create_v2, lane, sighting_of),
)
