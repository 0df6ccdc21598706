"""POST /v1/subscriptions/{id}: pauses and resumes collection, and adds prices. Nothing else can be changed."""

from typing import Annotated, Literal

from pydantic import Field

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError
from local.stripe.kinds import SUBSCRIPTION
from local.stripe.parameters import Listed, Params, UnixTime
from local.stripe.subscriptions import PATH, SubscriptionItem, interval, new_item, with_periods


class PauseCollection(Params):
    """The treatment of invoices during a pause, and its end (Unix seconds); None: until a caller resumes it."""

    behavior: Literal["keep_as_draft", "mark_uncollectible", "void"]
    resumes_at: UnixTime | None = None


class SubscriptionUpdate(Params):
    """The changes. `pause_collection` "" resumes collection; `items` are added."""

    items: Annotated[Listed[SubscriptionItem], Field(min_length=1, max_length=20)] | None = None
    pause_collection: PauseCollection | Literal[""] | None = None


def update(call: Call, params: SubscriptionUpdate) -> Json:
    """The changed subscription."""
    subscription = call.objects.at_path(SUBSCRIPTION, call.path["id"])
    if subscription["status"] == "canceled":
        raise StripeError("A canceled subscription can only update its cancellation_details and metadata.")
    if params.items is not None:
        subscription = _with_items(call, subscription, params.items)
    if params.pause_collection is not None:
        paused = params.pause_collection.model_dump() if params.pause_collection else None
        subscription |= {"pause_collection": paused}
    return with_periods(call, call.objects.replace(subscription))


def _with_items(call: Call, subscription: Json, added: list[SubscriptionItem]) -> Json:
    listed = subscription["items"]
    items = listed["data"] + [new_item(call, subscription["id"], item, at) for at, item in enumerate(added)]
    if len({interval(item["price"]) for item in items}) > 1:
        raise StripeError("All prices of a subscription must have the same `recurring[interval]`.", param="items")
    return subscription | {"items": listed | {"data": items}}


ENDPOINTS = (Endpoint("POST", PATH + "/{id}", SubscriptionUpdate, update),)
