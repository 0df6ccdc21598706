"""The double held to Stripe's own OpenAPI description.

Every test's exchanges are checked when its double stops (see conftest.py). This file shows that the check is made, that
it covers what the product uses, and that it would notice.
"""

import json
from typing import Any

import pytest
import stripe

from tests.support.eventually import eventually

from .arrange import HOUR, NOON, advance, at_noon, customer, event, meter, metered_price
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
    "GetV2CoreEvents",
    "GetV2CoreEventsId",
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
    "PostSubscriptionsSubscriptionExposedId",
    "PostV2BillingMeterEventSession",
    "PostV2BillingMeterEventStream",
    "PostV2BillingMeterEvents",
}


INVALID = "invalid_request_error"
# Exception, HTTP status, `e.code`, `e.error.code`, `e.error.type`: measured with stripe-python 16.1.
SEEN = [
    ("v1", "unauthorized", (stripe.AuthenticationError, 401, None, None, INVALID)),
    ("v1", "forbidden", (stripe.PermissionError, 403, None, None, INVALID)),
    ("v1", "conflict", (stripe.APIError, 409, None, "lock_timeout", INVALID)),
    ("v1", "rate_limited", (stripe.RateLimitError, 429, None, "rate_limit", INVALID)),
    ("v1", "error_before", (stripe.APIError, 500, None, None, "api_error")),
    ("v1", "bad_gateway", (stripe.APIError, 502, None, None, None)),
    ("v1", "refuse_and_drop", (stripe.APIConnectionError, None, None, None, None)),
    ("v2", "conflict", (stripe.APIError, 409, None, "too_many_concurrent_requests", None)),
    ("v2", "rate_limited", (stripe.RateLimitError, 429, "rate_limit", "rate_limit", "rate_limit")),
    ("v2", "error_before", (stripe.APIError, 500, None, "api_error", None)),
    ("v2", "disconnect", (stripe.APIConnectionError, None, None, None, None)),
]


def a_report(double: Served) -> None:
    """A refused stream event, and the report that tells of it, listed and retrieved."""
    double.stream().v2.billing.meter_event_stream.create({"events": [event("cus_x", "three")]})
    advance(double, 60)
    (report,) = eventually(lambda: double.live.v2.core.events.list({"limit": 10}).data)
    double.live.v2.core.events.retrieve(report.id)


class TestContract:
    """Stripe's description, and its errors as stripe-python raises them, hold for the double."""

    def test_every_operation_answers_in_stripes_shape(self, double: Served, client: stripe.StripeClient) -> None:
        """Requests as stripe-python makes them and answers as it reads them, of every operation in use."""
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
        client.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
        client.v1.billing_portal.sessions.create({"customer": cus})
        client.v1.billing_portal.configurations.list()
        for lists in (client.v1.customers, client.v1.prices, client.v1.products, client.v1.subscriptions):
            lists.list()
        client.v1.subscriptions.cancel(subscription.id)
        client.v1.billing.meters.deactivate(mtr.id)
        client.v1.billing.meters.reactivate(mtr.id)
        client.v1.customers.delete(cus)
        client.v1.customers.retrieve(cus)
        a_report(double)

        assert {exchange.status for exchange in double.exchanges} == {200}
        assert {operation_of(exchange) for exchange in double.exchanges} >= USED
        assert [problem for exchange in double.exchanges for problem in problems(exchange)] == []

    @pytest.mark.parametrize(
        ("change", "where"),
        [({"livemode": None}, "$.livemode"), ({"status": "on"}, "$.status"), ({"colour": "red"}, "colour")],
    )
    def test_the_check_notices(
        self, change: dict[str, object], where: str, double: Served, client: stripe.StripeClient
    ) -> None:
        """A field of the wrong type, an unknown word, a field that Stripe doesn't have."""
        meter(client)
        good = double.last
        bad = json.dumps(json.loads(good.answer) | change).encode()

        (problem,) = problems(Exchange(good.method, good.path, good.query, good.request, 200, bad))
        assert where in problem

    @pytest.mark.parametrize(("version", "fault", "seen"), SEEN)
    def test_errors_look_as_stripes_do(
        self, version: str, fault: str, seen: tuple[Any, ...], double: Served, client: stripe.StripeClient
    ) -> None:
        """The exception, its status and codes: what a client's branches are written against."""
        meter(client)
        double.control("faults", [{"fault": fault}])
        with pytest.raises(stripe.StripeError) as caught:
            getattr(client, version).billing.meter_events.create(event("cus_x", "one"))
        error = caught.value
        said = (None, None) if error.error is None else (error.error.code, error.error.type)
        assert (type(error), error.http_status, error.code, *said) == seen

    @pytest.mark.parametrize(
        ("version", "code", "kind"), [("v1", None, "invalid_request_error"), ("v2", "duplicate_meter_event", None)]
    )
    def test_a_duplicate_looks_as_stripes_does(
        self, version: str, code: str | None, kind: str | None, double: Served, client: stripe.StripeClient
    ) -> None:
        """v1 tells by the message only, v2 by the code."""
        meter(client)
        params = event(customer(client), "one")
        create = getattr(client, version).billing.meter_events.create
        create(params)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            create(params)
        error = caught.value.error
        assert (caught.value.http_status, error.code, error.type) == (400, code, kind)
        assert error.message == "An event already exists with identifier one."
