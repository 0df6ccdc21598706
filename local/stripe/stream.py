"""The meter event stream: POST /v2/billing/meter_event_stream.

A readable request is always answered with `{}`. Its events are judged in the same transaction, but the answer does not
contain the verdicts. Accepted events appear in the summaries, refused ones in an error report, and duplicates nowhere,
as Stripe's reports have no code for them.
"""

from functools import cache
from typing import Annotated

from pydantic import Field

from local.stripe.acceptance import RefusedError, accept
from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json
from local.stripe.kinds import CUSTOMER
from local.stripe.meter_events import MeterEventV2, offer_of, sighting_of
from local.stripe.meters import for_event_name
from local.stripe.parameters import Params
from local.stripe.refusals import Refusal, Refusals
from local.stripe.sightings import Sighting

# Source: Stripe's reference, at most 100 events a request.
BATCH_SIZE = 100


class Batch(Params):
    """The events of one request."""

    events: Annotated[list[MeterEventV2], Field(min_length=1, max_length=BATCH_SIZE)]


def create(call: Call, batch: Batch) -> Json:
    """Takes the events; the answer does not say which were accepted.

    Raises:
        StripeError: 429 if the stream has had too many events in this second.
    """
    call.rates.take("stream", len(batch.events), call.settings.stream_events_per_second, v2=True)
    refused = [refusal for refusal in _judge(call, batch) if refusal is not None]
    Refusals(call.store).note(refused, livemode=call.livemode, now=call.time, window=call.settings.report_window)
    return {}


def sightings(batch: Batch) -> list[Sighting]:
    """Returns the sightings of the events with identifiers."""
    return [seen for event in batch.events for seen in sighting_of(event)]


def _judge(call: Call, batch: Batch) -> list[Refusal | None]:
    meter_of = cache(lambda event_name: for_event_name(call.objects, event_name))
    exists = cache(lambda customer: call.objects.exists(CUSTOMER, customer))
    verdicts: list[Refusal | None] = []
    for event in batch.events:
        offer = offer_of(call, event)
        meter = meter_of(offer.event_name)
        try:
            usage = accept(
                offer,
                meter,
                now=call.time,
                customer_exists=exists,
                identifier_taken=lambda identifier: call.events.taken(identifier, now=call.time),
            )
        except RefusedError as error:
            identity = "" if meter is None else meter["id"]
            verdicts.append(Refusal(identity, error.reason, offer.identifier, error.message))
        else:
            call.events.append(usage, received=call.time)
            verdicts.append(None)
    return verdicts


ENDPOINTS = (Endpoint("POST", "/v2/billing/meter_event_stream", Batch, create, sightings=sightings, by_session=True),)
