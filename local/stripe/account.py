"""The account itself: GET /v1/account. Its id is made once per state file."""

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json
from local.stripe.parameters import NoParams

_FACT = "account"


def retrieve(call: Call, _: NoParams) -> Json:
    """Returns the account that owns all keys."""
    identity = call.store.fact(_FACT)
    if identity is None:
        identity = f"acct_double{call.token(10)}"
        call.store.remember(_FACT, identity)
    return {
        "id": identity,
        "object": "account",
        "business_type": "company",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


ENDPOINTS = (Endpoint("GET", "/v1/account", NoParams, retrieve),)
