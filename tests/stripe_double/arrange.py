"""Customers, meters and events for the tests, and a clock that stands at a round time."""

from datetime import UTC, datetime
from typing import Any

import stripe

from .served import Served

NOON = int(datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp())
MINUTE, HOUR, DAY = 60, 3600, 86400


def at_noon(double: Served) -> int:
    """Set the double's clock to noon; it ticks on from there."""
    double.control("clock", {"set": NOON})
    return NOON


def advance(double: Served, seconds: float) -> None:
    """Move the double's clock."""
    double.control("clock", {"advance": seconds})


def customer(client: stripe.StripeClient, **more: Any) -> str:
    """A new customer's id."""
    params: Any = more
    return client.v1.customers.create(params or None).id


def meter(client: stripe.StripeClient, event_name: str = "sms.send", formula: str = "sum", **more: Any) -> str:
    """A new meter's id."""
    params: Any = {"display_name": event_name, "event_name": event_name, "default_aggregation": {"formula": formula}}
    return client.v1.billing.meters.create(params | more).id


def event(customer: str, identifier: str, value: int | str = 1, **more: Any) -> dict[str, Any]:
    """The parameters of a meter event."""
    payload = {"stripe_customer_id": customer, "value": str(value)}
    return {"event_name": "sms.send", "identifier": identifier, "payload": payload} | more


def rfc3339(seconds: float) -> str:
    """v2's form of a moment in Unix seconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def metered_price(client: stripe.StripeClient, interval: str = "month") -> str:
    """A new price's id, metered by a new meter."""
    product = client.v1.products.create({"name": "Telephony"}).id
    params: Any = {
        "currency": "usd",
        "product": product,
        "unit_amount_decimal": "0.75",
        "recurring": {"interval": interval, "usage_type": "metered", "meter": meter(client)},
    }
    return client.v1.prices.create(params).id
