"""The double held to Stripe's own OpenAPI description.

Every test's exchanges are checked when its double stops (see conftest.py). This file shows that the check is made, that
it covers what the product uses, and that it would notice.
"""

import json

import pytest
import stripe

from .arrange import HOUR, NOON, at_noon, customer, event, meter, metered_price
from .exchanges import Exchange
from .openapi import description, description_path, operation_of, problems
from .served import Served

pytestmark = pytest.mark.skipif(description() is None, reason=f"no OpenAPI description at {description_path()}")

USED = {
    "DeleteCustomersCustomer",
    "DeleteSubscriptionsSubscriptionExposedId",
    "GetAccount",
    "GetBillingMeters",
    "GetBillingMetersId",
    "GetBillingMetersIdEventSummaries",
    "GetBillingPortalConfigurations",
    "GetCustomers",
    "GetCustomersCustomer",
    "GetPrices",
    "GetProducts",
    "GetSubscriptions",
    "PostBillingMeterEvents",
    "PostBillingMeters",
    "PostBillingMetersId",
    "PostBillingMetersIdDeactivate",
    "PostBillingMetersIdReactivate",
    "PostBillingPortalSessions",
    "PostCustomers",
    "PostCustomersCustomer",
    "PostPrices",
    "PostProducts",
    "PostSubscriptions",
    "PostV2BillingMeterEvents",
}


def test_every_operation_answers_in_stripes_shape(double: Served, client: stripe.StripeClient) -> None:
    """Requests as stripe-python makes them and answers as it reads them, of every operation that the product uses."""
    at_noon(double)
    price, cus = metered_price(client), customer(client, name="A")
    (mtr,) = client.v1.billing.meters.list().data
    client.v1.accounts.retrieve_current()
    client.v1.customers.update(cus, {"metadata": {"account": "1"}})
    client.v1.billing.meters.update(mtr.id, {"display_name": "Renamed"})
    client.v1.billing.meter_events.create(event(cus, "one", 3, timestamp=NOON))
    client.v2.billing.meter_events.create(event(cus, "two", 4, timestamp="2026-03-15T12:00:00Z"))
    span = {"customer": cus, "start_time": NOON, "end_time": NOON + HOUR}
    client.v1.billing.meters.event_summaries.list(mtr.id, span)
    client.v1.billing.meters.retrieve(mtr.id)
    subscription = client.v1.subscriptions.create({"customer": cus, "items": [{"price": price}]})
    client.v1.billing_portal.sessions.create({"customer": cus})
    client.v1.billing_portal.configurations.list()
    for lists in (client.v1.customers, client.v1.prices, client.v1.products, client.v1.subscriptions):
        lists.list()
    client.v1.subscriptions.cancel(subscription.id)
    client.v1.billing.meters.deactivate(mtr.id)
    client.v1.billing.meters.reactivate(mtr.id)
    client.v1.customers.delete(cus)
    client.v1.customers.retrieve(cus)

    assert {exchange.status for exchange in double.exchanges} == {200}
    assert {operation_of(exchange) for exchange in double.exchanges} >= USED
    assert [problem for exchange in double.exchanges for problem in problems(exchange)] == []


@pytest.mark.parametrize(
    ("change", "where"),
    [({"livemode": None}, "$.livemode"), ({"status": "on"}, "$.status"), ({"colour": "red"}, "colour")],
)
def test_the_check_notices(change: dict[str, object], where: str, double: Served, client: stripe.StripeClient) -> None:
    """A field of the wrong type, an unknown word, a field that Stripe doesn't have."""
    meter(client)
    good = double.last
    bad = json.dumps(json.loads(good.answer) | change).encode()

    (problem,) = problems(Exchange(good.method, good.path, good.query, good.request, 200, bad))
    assert where in problem
