"""Prices: /v1/prices. A metered price names its meter; the double computes no amounts."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError, missing_parameter
from local.stripe.kinds import METER, PRICE, PRODUCT
from local.stripe.objects import Page
from local.stripe.parameters import Metadata, NoParams, Params, Text
from local.stripe.periods import Interval

_PATH = "/v1/prices"


class Recurring(Params):
    """How often a price is billed, and by which meter."""

    interval: Interval
    interval_count: Annotated[int, Field(ge=1)] = 1
    meter: Text | None = None
    usage_type: Literal["licensed", "metered"] = "licensed"


class PriceCreate(Params):
    """What a new price may have: one amount per unit, in cents or in decimal cents."""

    currency: Annotated[str, Field(pattern="^[a-zA-Z]{3}$")]
    product: Text
    active: bool = True
    lookup_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    metadata: Metadata
    nickname: Text | None = None
    recurring: Recurring | None = None
    unit_amount: Annotated[int, Field(ge=0)] | None = None
    unit_amount_decimal: Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=12)] | None = None


class PriceList(Page):
    """A page, of one product or of active or inactive ones if asked for."""

    active: bool | None = None
    product: Text | None = None


def create(call: Call, params: PriceCreate) -> Json:
    """A new price."""
    call.objects.referred(PRODUCT, params.product, param="product")
    if params.recurring is not None:
        _check_meter(call, params.recurring)
    price = {
        **params.model_dump(),
        "id": call.new_id("price"),
        "object": PRICE,
        "billing_scheme": "per_unit",
        "created": call.now,
        "currency": params.currency.lower(),
        "custom_unit_amount": None,
        "livemode": call.livemode,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if params.recurring is None else "recurring",
        **_amount(params),
    }
    return call.objects.add(price, owner=params.product)


def retrieve(call: Call, _: NoParams) -> Json:
    """The price."""
    return call.objects.at_path(PRICE, call.path["id"])


def list_all(call: Call, params: PriceList) -> Json:
    """A page of prices, newest first."""
    matches = None if params.active is None else lambda body: bool(body["active"] == params.active)
    return call.objects.page(PRICE, params, _PATH, owner=params.product, wanted=matches)


def _check_meter(call: Call, recurring: Recurring) -> None:
    if recurring.usage_type == "licensed" and recurring.meter is not None:
        message = "A price with a meter must have `recurring[usage_type]` set to `metered`."
        raise StripeError(message, param="recurring[usage_type]")
    if recurring.usage_type == "metered":
        if recurring.meter is None:
            raise missing_parameter("recurring[meter]")
        call.objects.referred(METER, recurring.meter, param="recurring[meter]")


def _amount(params: PriceCreate) -> Json:
    amount, precise = params.unit_amount, params.unit_amount_decimal
    if (amount is None) == (precise is None):
        message = "You must pass exactly one of `unit_amount` and `unit_amount_decimal`."
        raise StripeError(message, param="unit_amount")
    if precise is None:
        return {"unit_amount": amount, "unit_amount_decimal": str(amount)}
    whole = precise == precise.to_integral_value()
    return {"unit_amount": int(precise) if whole else None, "unit_amount_decimal": f"{precise.normalize():f}"}


ENDPOINTS = (
    Endpoint("POST", _PATH, PriceCreate, create),
    Endpoint("GET", _PATH, PriceList, list_all),
    Endpoint("GET", _PATH + "/{id}", NoParams, retrieve),
)
