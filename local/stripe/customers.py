"""Customers: /v1/customers. Deleting one cancels its subscriptions, as at Stripe."""

from typing import Annotated, Literal

from pydantic import Field

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json
from local.stripe.kinds import CUSTOMER
from local.stripe.metadata import MetadataUpdate, updated_metadata
from local.stripe.objects import Page
from local.stripe.parameters import Metadata, NoParams, Params, Text
from local.stripe.subscriptions import cancel_all

_PATH = "/v1/customers"

# An empty string unsets.
Unsettable = Annotated[str, Field(max_length=5000)]


class CustomerCreate(Params):
    """What a new customer may have."""

    description: Text | None = None
    email: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    metadata: Metadata
    name: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    phone: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    tax_exempt: Literal["none", "exempt", "reverse"] = "none"


class CustomerUpdate(Params):
    """What may change; what is absent stays."""

    description: Unsettable | None = None
    email: Unsettable | None = None
    metadata: MetadataUpdate | None = None
    name: Unsettable | None = None
    phone: Unsettable | None = None
    tax_exempt: Literal["", "none", "exempt", "reverse"] | None = None


class CustomerList(Page):
    """A page, of one e-mail address if given."""

    email: Text | None = None


def create(call: Call, params: CustomerCreate) -> Json:
    """A new customer."""
    return call.objects.add(
        {
            "id": call.new_id("cus"),
            "object": CUSTOMER,
            "address": None,
            "balance": 0,
            "created": call.now,
            "currency": None,
            "default_source": None,
            "delinquent": False,
            "discount": None,
            "invoice_prefix": call.token(8).upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": call.livemode,
            "next_invoice_sequence": 1,
            "preferred_locales": [],
            "shipping": None,
            "test_clock": None,
            **params.model_dump(),
        }
    )


def retrieve(call: Call, _: NoParams) -> Json:
    """The customer; of a deleted one the tombstone."""
    found = call.objects.find(CUSTOMER, call.path["id"])
    return found if found is not None else call.objects.at_path(CUSTOMER, call.path["id"])


def update(call: Call, params: CustomerUpdate) -> Json:
    """Change a customer."""
    customer = call.objects.at_path(CUSTOMER, call.path["id"])
    changes = {name: value or None for name, value in params.model_dump(exclude_unset=True).items()}
    if "tax_exempt" in changes:
        changes["tax_exempt"] = changes["tax_exempt"] or "none"
    changes["metadata"] = updated_metadata(customer["metadata"], params.metadata)
    return call.objects.replace(customer | changes)


def delete(call: Call, _: NoParams) -> Json:
    """Delete a customer for good."""
    customer = call.objects.at_path(CUSTOMER, call.path["id"])
    cancel_all(call, customer["id"])
    return call.objects.replace({"id": customer["id"], "object": CUSTOMER, "deleted": True})


def list_all(call: Call, params: CustomerList) -> Json:
    """A page of customers, newest first."""
    matches = None if params.email is None else lambda body: bool(body["email"] == params.email)
    return call.objects.page(CUSTOMER, params, _PATH, wanted=matches)


ENDPOINTS = (
    Endpoint("POST", _PATH, CustomerCreate, create),
    Endpoint("GET", _PATH, CustomerList, list_all),
    Endpoint("GET", _PATH + "/{id}", NoParams, retrieve),
    Endpoint("POST", _PATH + "/{id}", CustomerUpdate, update),
    Endpoint("DELETE", _PATH + "/{id}", NoParams, delete),
)
