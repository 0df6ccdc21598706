"""Stripe's v2 events: GET /v2/core/events and GET /v2/core/events/{id}. The double makes error reports only."""

from typing import Annotated

from pydantic import Field

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError
from local.stripe.kinds import CORE_EVENT
from local.stripe.objects import Page
from local.stripe.parameters import Listed, Params, Text

_PATH = "/v2/core/events"


class EventRetrieve(Params):
    """None of Stripe's: stripe-python 16.1's `fetch_event_async` sends its own statistics along, as `usage`."""

    usage: Listed[str] | None = None


class EventList(Params):
    """Of which types, about which object; `page` is the cursor of the page before."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    object_id: Text | None = None
    page: Text | None = None
    types: Annotated[Listed[Text], Field(max_length=20)] | None = None


def retrieve(call: Call, _: EventRetrieve) -> Json:
    """The event with its data."""
    found = call.objects.find(CORE_EVENT, call.path["id"])
    if found is None:
        raise StripeError(f"No such event: '{call.path['id']}'", status=404, type=None, code="not_found")
    return found


def list_all(call: Call, params: EventList) -> Json:
    """A page of events, newest first."""

    def wanted(event: Json) -> bool:
        related = event.get("related_object", {}).get("id")
        return (params.types is None or event["type"] in params.types) and params.object_id in {None, related}

    cursor = Page(limit=params.limit, starting_after=params.page)
    page = call.objects.page(CORE_EVENT, cursor, _PATH, wanted=wanted)
    following = f"{_PATH}?limit={params.limit}&page={page['data'][-1]['id']}" if page["has_more"] else None
    return {"data": page["data"], "next_page_url": following, "previous_page_url": None}


ENDPOINTS = (
    Endpoint("GET", _PATH, EventList, list_all),
    Endpoint("GET", _PATH + "/{id}", EventRetrieve, retrieve),
)
