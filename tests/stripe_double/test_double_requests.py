"""The common handling of all requests: keys, parameters, paths, idempotency, Request-Id."""

import asyncio

import httpx
import pytest
import stripe

from .arrange import DAY, advance, customer, event, meter
from .served import KEY, Served


class TestKeys:
    """The key's shape decides who calls, and in which mode."""

    @pytest.mark.parametrize("key", ["sk_test_double", "rk_test_1", "sk_live_1", "rk_live_1"])
    def test_secret_and_restricted_keys_are_accepted(self, key: str, double: Served) -> None:
        """What is made with a live key is live."""
        assert double.client(key).v1.customers.create().livemode is ("_live_" in key)

    @pytest.mark.parametrize("key", ["pk_test_1", "sk_test_", "tk_live_1", "sk_test_a b"])
    def test_other_keys_are_refused(self, key: str, double: Served) -> None:
        """401, in both versions; the whole key is never repeated."""
        client = double.client(key)
        for call in (client.v1.customers.create, lambda: client.v2.billing.meter_events.create(event("cus_x", "one"))):
            with pytest.raises(stripe.AuthenticationError) as caught:
                call()
            assert caught.value.http_status == 401

    def test_no_key_is_refused(self, double: Served) -> None:
        """401, on a known and on an unknown path."""
        for path in ("/v1/customers", "/v1/nothing"):
            assert httpx.get(double.url + path).status_code == 401

    def test_objects_of_one_mode_are_hidden_from_the_other(self, double: Served, client: stripe.StripeClient) -> None:
        """A test customer doesn't exist for a live key."""
        with pytest.raises(stripe.InvalidRequestError) as caught:
            double.client("sk_live_1").v1.customers.retrieve(customer(client))
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")

    def test_the_account_is_the_same_for_every_key(self, double: Served, client: stripe.StripeClient) -> None:
        """Its id begins with acct_double."""
        account = client.v1.accounts.retrieve_current()
        assert account.id.startswith("acct_double")
        assert double.client("sk_live_1").v1.accounts.retrieve_current().id == account.id


class TestParameters:
    """An endpoint refuses parameters that it does not know."""

    def test_unknown_parameters_are_refused(self, double: Served, client: stripe.StripeClient) -> None:
        """At the top and inside, in forms and in queries."""
        aggregation = {"formula": "sum", "colour": "red"}
        calls = {
            "colour": lambda: client.v1.customers.list({"colour": "red"}),
            "default_aggregation[colour]": lambda: meter(client, default_aggregation=aggregation),
        }
        for param, call in calls.items():
            with pytest.raises(stripe.InvalidRequestError) as caught:
                call()
            assert (caught.value.code, caught.value.param) == ("parameter_unknown", param)

    def test_wrong_values_are_refused(self, double: Served, client: stripe.StripeClient) -> None:
        """With the parameter's name and, where Stripe has one, a code."""
        calls = {
            ("limit", "parameter_invalid_integer"): lambda: client.v1.customers.list({"limit": 101}),
            ("name", "parameter_invalid_empty"): lambda: client.v1.customers.create({"name": ""}),
            ("name", "parameter_missing"): lambda: client.v1.products.create({"active": True}),
            ("default_aggregation[formula]", None): lambda: meter(client, formula="median"),
        }
        for (param, code), call in calls.items():
            with pytest.raises(stripe.InvalidRequestError) as caught:
                call()
            assert (caught.value.param, caught.value.code) == (param, code)

    def test_v1_wants_forms_and_v2_wants_json(self, double: Served) -> None:
        """The other kind of body is refused."""
        headers = {"Authorization": f"Bearer {KEY}"}
        for path, kind in (("/v1/customers", "application/json"), ("/v2/billing/meter_events", "text/plain")):
            answer = httpx.post(double.url + path, content="{}", headers=headers | {"Content-Type": kind})
            assert answer.status_code == 400

    def test_unknown_paths_are_404(self, double: Served, client: stripe.StripeClient) -> None:
        """And so are unknown methods of known paths."""
        for method, path in (("GET", "/v1/charges"), ("POST", "/v2/core/nothing"), ("PUT", "/v1/customers")):
            answer = httpx.request(method, double.url + path, headers={"Authorization": f"Bearer {KEY}"})
            assert answer.status_code == 404
            assert answer.json()["error"]["message"].startswith(f"Unrecognized request URL ({method}: {path})")

    def test_every_answer_has_a_request_id(self, double: Served, client: stripe.StripeClient) -> None:
        """A different one each time, refusals and unknown paths included."""
        client.v1.customers.list()
        httpx.get(double.url + "/v1/customers")
        httpx.get(double.url + "/v1/nothing")

        ids = [exchange.headers["request-id"] for exchange in double.exchanges]
        assert len(set(ids)) == 3
        assert all(identity.startswith("req_") for identity in ids)


class TestIdempotency:
    """The same key and the same request have one effect."""

    def test_the_answer_is_replayed(self, double: Served, client: stripe.StripeClient) -> None:
        """For 24 hours; after that the key is new."""
        create = lambda: client.v1.customers.create({"name": "A"}, options={"idempotency_key": "k"})  # noqa: E731
        first = create()

        advance(double, DAY - 60)
        assert create().id == first.id
        assert double.last.headers["idempotent-replayed"] == "true"
        assert double.last.headers["original-request"] == double.exchanges[0].headers["request-id"]
        advance(double, 120)
        assert create().id != first.id

    def test_a_replayed_event_is_no_duplicate(self, double: Served, client: stripe.StripeClient) -> None:
        """v2's success comes back as it was, and counts once."""
        meter(client)
        params = event(customer(client), "one")
        for _ in range(2):
            client.v2.billing.meter_events.create(params, options={"idempotency_key": "k"})

        assert double.control("usage")["events"] == 1

    def test_other_parameters_are_refused(self, double: Served, client: stripe.StripeClient) -> None:
        """400 idempotency_error, in both versions."""
        meter(client)
        cus = customer(client)
        sends = (client.v1.billing.meter_events.create, client.v2.billing.meter_events.create)
        for number, send in enumerate(sends):
            options = {"idempotency_key": f"k{number}"}
            send(event(cus, f"one{number}"), options=options)
            with pytest.raises(stripe.IdempotencyError) as caught:
                send(event(cus, f"two{number}"), options=options)
            assert caught.value.http_status == 400

    def test_v1_replays_an_executed_refusal(self, double: Served, client: stripe.StripeClient) -> None:
        """Even when the request would succeed by now."""
        params, options = event("cus_x", "one"), {"idempotency_key": "k"}
        for _ in range(2):
            with pytest.raises(stripe.InvalidRequestError, match="No active meter"):
                client.v1.billing.meter_events.create(params, options=options)
            meter(client) if len(double.exchanges) == 1 else None

    def test_v2_executes_a_refused_request_anew(self, double: Served, client: stripe.StripeClient) -> None:
        """A refusal is not stored."""
        params, options = event(customer(client), "one"), {"idempotency_key": "k"}
        with pytest.raises(stripe.InvalidRequestError, match="No active meter"):
            client.v2.billing.meter_events.create(params, options=options)

        meter(client)
        client.v2.billing.meter_events.create(params, options=options)

    async def test_a_key_in_use_is_refused(self, double: Served, client: stripe.StripeClient) -> None:
        """409 while the first request is in progress."""
        double.control("latency", {"seconds": 3})
        options = {"idempotency_key": "k"}

        answers = await asyncio.gather(
            *(double.client().v1.customers.create_async({"name": "A"}, options=options) for _ in range(2)),
            return_exceptions=True,
        )

        (refused,) = [answer for answer in answers if isinstance(answer, stripe.StripeError)]
        assert refused.http_status == 409


class TestControls:
    """The double's own controls."""

    def test_health(self, double: Served) -> None:
        """Without a key."""
        assert httpx.get(double.url + "/healthz").json() == {"status": "ok"}

    def test_the_clock_moves_and_can_be_set(self, double: Served, client: stripe.StripeClient) -> None:
        """Objects carry the double's time."""
        double.control("clock", {"set": 1_000_000_000})
        double.control("clock", {"advance": 1000})

        assert 1_000_001_000 <= client.v1.customers.create().created < 1_000_001_060
        assert 1_000_001_000 <= double.control("clock")["now"] < 1_000_001_060

    def test_requests_are_counted_by_status(self, double: Served, client: stripe.StripeClient) -> None:
        """Per endpoint, not per path."""
        for _ in range(2):
            client.v1.customers.retrieve(customer(client))
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.customers.retrieve("cus_x")

        assert double.control("requests") == {
            "GET /v1/customers/{id}": {"200": 2, "404": 1},
            "POST /v1/customers": {"200": 2},
        }
