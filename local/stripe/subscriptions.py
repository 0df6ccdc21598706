"""Subscriptions: /v1/subscriptions, as far as billing periods need them. Nothing is invoiced.

The current period is not stored: it is computed from the anchor and the clock whenever the subscription is read.
"""

from typing import Annotated, Literal

from pydantic import Field

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError
from local.stripe.kinds import CUSTOMER, PRICE, SUBSCRIPTION
from local.stripe.objects import Page, as_list
from local.stripe.parameters import Listed, Metadata, NoParams, Params, Text, UnixTime
from local.stripe.periods import Cycle

PATH = "/v1/subscriptions"


class SubscriptionItem(Params):
    """One price of a subscription; a metered one has no quantity."""

    price: Text
    quantity: Annotated[int, Field(ge=0)] | None = None
    metadata: Metadata


class SubscriptionCreate(Params):
    """The parameters of a new subscription. The anchor is now, or a time within the first interval."""

    customer: Text
    items: Annotated[Listed[SubscriptionItem], Field(min_length=1, max_length=20)]
    backdate_start_date: UnixTime | None = None
    billing_cycle_anchor: UnixTime | None = None
    description: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    metadata: Metadata
    proration_behavior: Literal["always_invoice", "create_prorations", "none"] = "create_prorations"


Status = Literal[
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
]


class SubscriptionList(Page):
    """A page of subscriptions, by customer, price or status; canceled ones are left out unless asked for.

    The double's subscriptions are active or canceled; other statuses find none.
    """

    customer: Text | None = None
    price: Text | None = None
    status: Status | None = None


def create(call: Call, params: SubscriptionCreate) -> Json:
    """A new, active subscription."""
    call.objects.referred(CUSTOMER, params.customer, param="customer")
    identity = call.new_id("sub")
    items = [new_item(call, identity, item, number) for number, item in enumerate(params.items)]
    if len({interval(item["price"]) for item in items}) > 1:
        raise StripeError("All prices of a subscription must have the same `recurring[interval]`.", param="items")
    subscription = {
        **_NOTHING,
        "id": identity,
        "object": SUBSCRIPTION,
        "billing_cycle_anchor": _anchor(call, params, items[0]),
        "created": call.now,
        "currency": items[0]["price"]["currency"],
        "customer": params.customer,
        "description": params.description,
        "items": as_list(items, f"/v1/subscription_items?subscription={identity}"),
        "livemode": call.livemode,
        "metadata": params.metadata,
        "start_date": _start(call, params),
        "status": "active",
    }
    return with_periods(call, call.objects.add(subscription, owner=params.customer))


def retrieve(call: Call, _: NoParams) -> Json:
    """The subscription with its current period."""
    return with_periods(call, call.objects.at_path(SUBSCRIPTION, call.path["id"]))


def list_all(call: Call, params: SubscriptionList) -> Json:
    """A page of subscriptions, newest first."""
    statuses = {"all": ("active", "canceled"), "ended": ("canceled",), None: ("active",)}
    allowed = statuses.get(params.status, (params.status,))

    def wanted(subscription: Json) -> bool:
        prices = {item["price"]["id"] for item in subscription["items"]["data"]}
        return subscription["status"] in allowed and (params.price is None or params.price in prices)

    page = call.objects.page(SUBSCRIPTION, params, PATH, owner=params.customer, wanted=wanted)
    return page | {"data": [with_periods(call, subscription) for subscription in page["data"]]}


def cancel(call: Call, _: NoParams) -> Json:
    """End it now."""
    subscription = call.objects.at_path(SUBSCRIPTION, call.path["id"])
    if subscription["status"] == "canceled":
        raise StripeError("The subscription is already canceled.", executed=True)
    return with_periods(call, _ended(call, subscription))


def cancel_all(call: Call, customer: str) -> None:
    """End every subscription of a customer."""
    for subscription in list(call.objects.every(SUBSCRIPTION, owner=customer)):
        if subscription["status"] != "canceled":
            _ended(call, subscription)


def _ended(call: Call, subscription: Json) -> Json:
    ended = {"status": "canceled", "canceled_at": call.now, "ended_at": call.now}
    return call.objects.replace(subscription | ended)


def new_item(call: Call, subscription: str, item: SubscriptionItem, number: int) -> Json:
    """Returns a new item of a subscription; `number` is its index in the request."""
    price = call.objects.referred(PRICE, item.price, param=f"items[{number}][price]")
    recurring = price["recurring"]
    if recurring is None:
        message = f"The price {item.price} is of type `one_time`; a subscription needs `recurring` ones."
        raise StripeError(message, param=f"items[{number}][price]")
    metered = recurring["usage_type"] == "metered"
    if metered and item.quantity is not None:
        raise StripeError("A metered price has no quantity.", param=f"items[{number}][quantity]")
    quantity = {} if metered else {"quantity": 1 if item.quantity is None else item.quantity}
    return {
        "id": call.new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": call.now,
        "discounts": [],
        "metadata": item.metadata,
        "price": price,
        "subscription": subscription,
        "tax_rates": [],
        **quantity,
    }


def _start(call: Call, params: SubscriptionCreate) -> int:
    if params.backdate_start_date is None:
        return call.now
    if params.backdate_start_date > call.now:
        raise StripeError("`backdate_start_date` must be in the past.", param="backdate_start_date")
    return params.backdate_start_date


def _anchor(call: Call, params: SubscriptionCreate, item: Json) -> int:
    anchor = params.billing_cycle_anchor
    if anchor is None:
        return call.now
    if anchor < call.now:
        message = "Invalid timestamp: must be an integer Unix timestamp in the future."
        raise StripeError(message, param="billing_cycle_anchor")
    if anchor > Cycle(call.now, *interval(item["price"])).boundary(1):
        message = "billing_cycle_anchor cannot be later than next natural billing date"
        raise StripeError(message, param="billing_cycle_anchor")
    return anchor


def with_periods(call: Call, subscription: Json) -> Json:
    """Returns the subscription with its current period.

    The first period begins at the start date, which may be inside an interval. A canceled subscription keeps its last
    period.
    """
    at = max(subscription["start_date"], subscription["ended_at"] or call.now)
    items = subscription["items"]["data"]
    cycle = Cycle(subscription["billing_cycle_anchor"], *interval(items[0]["price"]))
    start, end = cycle.period(at)
    period = {"current_period_start": max(start, subscription["start_date"]), "current_period_end": end}
    return subscription | {"items": subscription["items"] | {"data": [item | period for item in items]}}


def interval(price: Json) -> tuple[Literal["day", "week", "month", "year"], int]:
    """Returns how often a price is billed: the interval, and the number of intervals."""
    recurring = price["recurring"]
    return recurring["interval"], recurring["interval_count"]


# Fields that are always empty or constant in the double.
_NOTHING: Json = {
    "application": None,
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor_config": None,
    "billing_mode": {"flexible": None, "type": "flexible"},
    "billing_schedules": [],
    "billing_thresholds": None,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "canceled_at": None,
    "cancellation_details": None,
    "collection_method": "charge_automatically",
    "days_until_due": None,
    "default_payment_method": None,
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "ended_at": None,
    "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
    "latest_invoice": None,
    "next_pending_invoice_item_invoice": None,
    "on_behalf_of": None,
    "pause_collection": None,
    "payment_settings": None,
    "pending_invoice_item_interval": None,
    "pending_setup_intent": None,
    "pending_update": None,
    "schedule": None,
    "test_clock": None,
    "transfer_data": None,
    "trial_end": None,
    "trial_settings": None,
    "trial_start": None,
}

ENDPOINTS = (
    Endpoint("POST", PATH, SubscriptionCreate, create),
    Endpoint("GET", PATH, SubscriptionList, list_all),
    Endpoint("GET", PATH + "/{id}", NoParams, retrieve),
    Endpoint("DELETE", PATH + "/{id}", NoParams, cancel),
)
