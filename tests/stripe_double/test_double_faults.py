"""Scripted faults, as stripe-python sees them, and their traces."""

import time
from typing import Any

import httpx
import pytest
import stripe

from local.stripe.faults import Match, Rule, Scripted

from .arrange import customer, event, meter
from .served import Served

PATH = "/v2/billing/meter_events"


def script(double: Served, *rules: dict[str, Any]) -> None:
    """Append rules."""
    double.control("faults", list(rules))


@pytest.fixture
def cus(double: Served, client: stripe.StripeClient) -> str:
    """A customer, with the meter there too."""
    meter(client)
    return customer(client)


def send(client: stripe.StripeClient, cus: str, identifier: str = "one", **more: Any) -> Any:
    """One v2 event."""
    return client.v2.billing.meter_events.create(event(cus, identifier, **more))


Kind = tuple[str, type[stripe.StripeError], int | None, bool]

# What is raised, with which HTTP status, and whether the event was accepted.
KINDS: list[Kind] = [
    ("accept_then_drop", stripe.APIConnectionError, None, True),
    ("refuse_and_drop", stripe.APIConnectionError, None, False),
    ("disconnect", stripe.APIConnectionError, None, False),
    ("error_before", stripe.APIError, 500, False),
    ("error_after", stripe.APIError, 500, True),
    ("truncated", stripe.APIError, 200, True),
    ("bad_gateway", stripe.APIError, 502, False),
    ("conflict", stripe.APIError, 409, False),
    ("rate_limited", stripe.RateLimitError, 429, False),
    ("unauthorized", stripe.AuthenticationError, 401, False),
    ("forbidden", stripe.PermissionError, 403, False),
]


@pytest.mark.parametrize("kind", KINDS, ids=[kind[0] for kind in KINDS])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_each_kind_happens_once_and_is_over(
    version: str, kind: Kind, double: Served, client: stripe.StripeClient, cus: str
) -> None:
    """The caller gets the error, the event is counted or not, and the same call goes through afterwards."""
    fault, error, status, accepted = kind
    create = getattr(client, version).billing.meter_events.create
    script(double, {"fault": fault})

    with pytest.raises(error) as caught:
        create(event(cus, "one"))

    assert caught.value.http_status == status
    assert double.control("usage")["events"] == accepted
    if accepted:
        with pytest.raises(stripe.InvalidRequestError, match="already exists"):
            create(event(cus, "one"))
    else:
        create(event(cus, "one"))
    assert double.control("usage")["events"] == 1
    assert double.control("checks")["resent"]["count"] == 1


class TestAnswers:
    """What the answers say."""

    def test_a_rate_limit_says_for_how_long_and_why(
        self, double: Served, client: stripe.StripeClient, cus: str
    ) -> None:
        """Retry-After and Stripe-Rate-Limited-Reason."""
        script(double, {"fault": "rate_limited", "seconds": 3})
        with pytest.raises(stripe.RateLimitError) as caught:
            send(client, cus)
        assert caught.value.headers["retry-after"] == "3"
        assert caught.value.headers["stripe-rate-limited-reason"] == "endpoint-rate"

    def test_a_conflict_is_stripes(self, double: Served, client: stripe.StripeClient, cus: str) -> None:
        """409 too_many_concurrent_requests."""
        script(double, {"fault": "conflict"})
        with pytest.raises(stripe.APIError) as caught:
            send(client, cus)
        assert caught.value.error.code == "too_many_concurrent_requests"

    def test_slow_takes_its_seconds_and_is_accepted(
        self, double: Served, client: stripe.StripeClient, cus: str
    ) -> None:
        """Nothing else is wrong with it."""
        script(double, {"fault": "slow", "seconds": 0.2})
        begin = time.monotonic()
        send(client, cus)
        assert time.monotonic() - begin >= 0.2

    def test_the_stream_has_faults_too(self, double: Served) -> None:
        """Accepted, dropped; the whole batch is there."""
        meter(double.live)
        who, stream = customer(double.live), double.stream()
        script(double, {"fault": "accept_then_drop", "match": {"path": "/v2/billing/meter_event_*"}})
        with pytest.raises(stripe.APIConnectionError):
            stream.v2.billing.meter_event_stream.create({"events": [event(who, "one"), event(who, "two")]})
        assert double.control("usage")["events"] == 2

    def test_a_session_can_expire_early(self, double: Served) -> None:
        """Before its 15 minutes are over."""
        stream = double.stream()
        script(double, {"fault": "session_expired"})
        with pytest.raises(stripe.TemporarySessionExpiredError):
            stream.v2.billing.meter_event_stream.create({"events": [event("cus_x", "one")]})


class TestMatching:
    """Which requests a rule hits."""

    def test_by_customer_meter_method_and_path(self, double: Served, client: stripe.StripeClient, cus: str) -> None:
        """All that is named must fit; others pass untouched."""
        other = customer(client)
        match = {"method": "POST", "path": PATH, "customer": cus, "meter": "sms.send"}
        script(double, {"fault": "error_before", "match": match})
        meter(client, "voice.ai")
        send(client, other, "other")
        send(client, cus, "elsewhere", event_name="voice.ai")
        client.v1.customers.retrieve(cus)

        with pytest.raises(stripe.APIError):
            send(client, cus)

    def test_a_name_is_matched_whole(self) -> None:
        """cus_1 is not cus_12, and sms.send not mms.send."""
        assert Match(customer="cus_1").fits("POST", PATH, f'{PATH}? {{"customer":"cus_1"}}')
        assert not Match(customer="cus_1").fits("POST", PATH, f'{PATH}? {{"customer":"cus_12"}}')
        assert not Match(meter="ms.send").fits("POST", PATH, f'{PATH}? {{"event_name":"sms.send"}}')

    def test_chances_come_from_the_seed(self) -> None:
        """The same seed, the same story; another one, another."""

        def story(seed: int) -> list[bool]:
            scripted = Scripted(Rule(fault="slow", probability=0.5, seed=seed))
            return [scripted.fires("GET", PATH, "") for _ in range(64)]

        assert story(1) == story(1) != story(2)
        assert 10 < sum(story(1)) < 54

    def test_times_bound_a_chance(self) -> None:
        """Both may be given."""
        scripted = Scripted(Rule(fault="slow", probability=1, times=2))
        assert [scripted.fires("GET", PATH, "") for _ in range(3)] == [True, True, False]


class TestScript:
    """The control endpoint."""

    @pytest.fixture
    def faults(self, double: Served) -> str:
        """Its URL."""
        return f"{double.url}/_double/faults"

    def test_rules_are_listed_with_how_often_they_fired(
        self, double: Served, client: stripe.StripeClient, cus: str, faults: str
    ) -> None:
        """In order; the first that fires decides; DELETE clears."""
        script(double, {"fault": "error_before", "times": 2}, {"fault": "conflict"})
        for _ in range(3):
            with pytest.raises(stripe.APIError):
                send(client, cus)

        listed = [(rule["fault"], rule["fired"], rule["spent"]) for rule in httpx.get(faults).json()]
        assert listed == [("error_before", 2, True), ("conflict", 1, True)]
        assert httpx.delete(faults).json() == []
        send(client, cus)

    @pytest.mark.parametrize("rule", [{"fault": "earthquake"}, {"fault": "slow", "often": 1}, {}])
    def test_what_it_cannot_read_it_refuses(self, rule: dict[str, Any], faults: str) -> None:
        """422, and nothing is scripted."""
        assert httpx.post(faults, json=[rule]).status_code == 422
        assert httpx.get(faults).json() == []
