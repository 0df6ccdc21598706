"""Products: /v1/products, as far as a price needs one."""

from typing import Annotated

from pydantic import Field

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json
from local.stripe.kinds import PRODUCT
from local.stripe.objects import Page
from local.stripe.parameters import Metadata, NoParams, Params, Text

_PATH = "/v1/products"


class ProductCreate(Params):
    """What a new product may have; an id may be chosen."""

    name: Text
    id: Text | None = None
    active: bool = True
    description: Text | None = None
    metadata: Metadata
    unit_label: Annotated[str, Field(min_length=1, max_length=12)] | None = None


class ProductList(Page):
    """A page, of active or inactive ones if asked for."""

    active: bool | None = None


def create(call: Call, params: ProductCreate) -> Json:
    """A new product."""
    product = {
        **params.model_dump(),
        "id": params.id or call.new_id("prod"),
        "object": PRODUCT,
        "created": call.now,
        "default_price": None,
        "images": [],
        "livemode": call.livemode,
        "marketing_features": [],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "updated": call.now,
        "url": None,
    }
    return call.objects.add(product)


def retrieve(call: Call, _: NoParams) -> Json:
    """The product."""
    return call.objects.at_path(PRODUCT, call.path["id"])


def list_all(call: Call, params: ProductList) -> Json:
    """A page of products, newest first."""
    matches = None if params.active is None else lambda body: bool(body["active"] == params.active)
    return call.objects.page(PRODUCT, params, _PATH, wanted=matches)


ENDPOINTS = (
    Endpoint("POST", _PATH, ProductCreate, create),
    Endpoint("GET", _PATH, ProductList, list_all),
    Endpoint("GET", _PATH + "/{id}", NoParams, retrieve),
)
