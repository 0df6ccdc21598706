"""Meter events that Stripe accepts and refuses, through both versions of its API."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from .arrange import DAY, HOUR, NOON, advance, at_noon, customer, event, meter, rfc3339
from .served import Served

Params = dict[str, Any]
Send = Callable[[stripe.StripeClient, Params], Any]


def send_v1(client: stripe.StripeClient, params: Params) -> Any:
    """Through v1, whose timestamps are Unix seconds."""
    return client.v1.billing.meter_events.create(params)


def send_v2(client: stripe.StripeClient, params: Params) -> Any:
    """Through v2, whose timestamps are RFC 3339."""
    stamp = {"timestamp": rfc3339(params["timestamp"])} if "timestamp" in params else {}
    return client.v2.billing.meter_events.create(params | stamp)


def refusal(send: Send, client: stripe.StripeClient, params: Params) -> stripe.InvalidRequestError:
    """The 400 that the event gets."""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        send(client, params)
    assert caught.value.http_status == 400
    return caught.value


@pytest.mark.parametrize("send", [send_v1, send_v2])
class TestBothVersions:
    """The rules that v1 and v2 share."""

    def test_an_accepted_event_is_answered_and_counted(
        self, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """The answer repeats the event, and the totals have its value."""
        meter(client)
        cus = customer(client)

        answer = send(client, event(cus, "one", 7))

        assert answer.identifier == "one"
        assert answer.payload.to_dict() == {"stripe_customer_id": cus, "value": "7"}
        assert answer.livemode is False
        assert double.control("usage") == {"totals": {cus: {"sms.send": 7}}, "events": 1}

    def test_an_event_without_an_identifier_gets_one(
        self, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """Two such events are two events."""
        meter(client)
        params = event(customer(client), "", 1)
        del params["identifier"]

        assert send(client, params).identifier != send(client, params).identifier

    def test_a_known_identifier_is_refused_for_24_hours(
        self, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """One minute before the day is over it is a duplicate, one minute after it counts again."""
        meter(client)
        cus = customer(client)
        send(client, event(cus, "one"))

        advance(double, DAY - 60)
        assert refusal(send, client, event(cus, "one")).user_message == "An event already exists with identifier one."
        advance(double, 120)
        send(client, event(cus, "one"))

        assert double.control("usage")["events"] == 2

    def test_an_identifier_is_one_across_versions_and_contents(
        self, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """v1, v2, another value and another customer: the identifier alone decides."""
        meter(client)
        cus = customer(client)
        send(client, event(cus, "one", 5))

        for other in (send_v1, send_v2):
            message = refusal(other, client, event(customer(client), "one", 6)).user_message
            assert message == "An event already exists with identifier one."
        assert double.control("usage")["totals"] == {cus: {"sms.send": 5}}

    @pytest.mark.parametrize("offset", [-35 * DAY + 60, 5 * 60 - 5])
    def test_timestamps_inside_the_bounds_are_accepted(
        self, offset: int, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """35 days back and 5 minutes ahead."""
        at_noon(double)
        meter(client)

        send(client, event(customer(client), "one", timestamp=NOON + offset))

    @pytest.mark.parametrize("offset", [-35 * DAY - 5, 5 * 60 + 60])
    def test_timestamps_outside_the_bounds_are_refused(
        self, offset: int, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """Older than 35 days, or more than 5 minutes ahead."""
        at_noon(double)
        meter(client)

        refusal(send, client, event(customer(client), "one", timestamp=NOON + offset))

        assert double.control("usage")["events"] == 0

    @pytest.mark.parametrize("value", ["-1", "1.5", "", " 1", "1e3", "x", "1" * 16])
    def test_a_value_is_a_whole_number_of_at_most_15_digits(
        self, value: str, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """Everything else is refused."""
        meter(client)

        refusal(send, client, event(customer(client), "one", value))

    @pytest.mark.parametrize("value", ["0", "9" * 15])
    def test_the_extremes_of_a_value_are_accepted(
        self, value: str, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """Nothing is as good a value as fifteen nines."""
        meter(client)
        cus = customer(client)

        send(client, event(cus, "one", value))

        assert double.control("usage")["totals"][cus]["sms.send"] == int(value)

    def test_an_identifier_has_at_most_100_characters(
        self, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """100 are accepted, 101 are not."""
        meter(client)
        cus = customer(client)

        send(client, event(cus, "i" * 100))
        assert refusal(send, client, event(cus, "i" * 101)).user_message.startswith("Invalid string: identifier")

    def test_an_unknown_parameter_is_refused(self, send: Send, double: Served, client: stripe.StripeClient) -> None:
        """With the parameter's name."""
        meter(client)

        assert refusal(send, client, event(customer(client), "one", colour="red")).code == "parameter_unknown"

    def test_a_missing_parameter_is_refused(self, send: Send, double: Served, client: stripe.StripeClient) -> None:
        """An event without a payload is none."""
        assert refusal(send, client, {"event_name": "sms.send"}).code == "parameter_missing"

    def test_payload_keys_are_the_meters(self, send: Send, double: Served, client: stripe.StripeClient) -> None:
        """A meter may name its own keys."""
        mapping = {"type": "by_id", "event_payload_key": "who"}
        meter(client, customer_mapping=mapping, value_settings={"event_payload_key": "much"})
        cus = customer(client)

        send(client, event(cus, "one", payload={"who": cus, "much": "3"}))
        refusal(send, client, event(cus, "two", 3))

        assert double.control("usage")["totals"] == {cus: {"sms.send": 3}}

    def test_a_deleted_customer_is_unknown(self, send: Send, double: Served, client: stripe.StripeClient) -> None:
        """As one who never was."""
        meter(client)
        cus = customer(client)
        client.v1.customers.delete(cus)

        assert refusal(send, client, event(cus, "one")).user_message == f"No such customer: '{cus}'"

    def test_modes_are_apart(self, send: Send, double: Served, client: stripe.StripeClient) -> None:
        """A live key sees no test meter, and its objects say so."""
        meter(client)
        live = double.client("sk_live_double")
        assert refusal(send, live, event(customer(client), "one")).user_message.startswith("No active meter found")

        meter(live)
        assert send(live, event(customer(live), "one")).livemode is True

    async def test_one_call_at_a_time_per_customer_and_meter(
        self, send: Send, double: Served, client: stripe.StripeClient
    ) -> None:
        """Of two at once one is refused with 429 and not counted; another customer's goes through."""
        meter(client)
        first, second = customer(client), customer(client)
        double.control("latency", {"seconds": 3})
        both = [event(first, "a"), event(first, "b"), event(second, "c")]

        answers = await asyncio.gather(
            *(asyncio.to_thread(send, double.client(), params) for params in both), return_exceptions=True
        )

        refused = [answer for answer in answers if isinstance(answer, stripe.RateLimitError)]
        assert [error.error.code for error in refused] == [
            "lock_timeout" if send is send_v1 else "too_many_concurrent_requests"
        ]
        assert answers[2].identifier == "c"
        assert double.control("usage")["events"] == 2


class TestV2Codes:
    """v2 says why in the error's code."""

    @pytest.mark.parametrize(
        ("payload", "code"),
        [
            ({"value": "1"}, "payload_no_customer_defined"),
            ({"stripe_customer_id": "cus_x"}, "payload_no_value_defined"),
            ({"stripe_customer_id": "cus_x", "value": "much"}, "payload_invalid_value"),
            ({"stripe_customer_id": "cus_x", "value": "1"}, "meter_event_customer_not_found"),
        ],
    )
    def test_payloads(self, payload: dict[str, str], code: str, double: Served, client: stripe.StripeClient) -> None:
        """Each thing that is wrong with a payload has its code."""
        meter(client)

        assert refusal(send_v2, client, {"event_name": "sms.send", "payload": payload}).code == code

    def test_no_meter(self, double: Served, client: stripe.StripeClient) -> None:
        """The event name belongs to no meter."""
        assert refusal(send_v2, client, event(customer(client), "one")).code == "no_meter"

    def test_archived_meter(self, double: Served, client: stripe.StripeClient) -> None:
        """A deactivated meter refuses events until it is reactivated."""
        mtr = meter(client)
        cus = customer(client)
        client.v1.billing.meters.deactivate(mtr)
        assert refusal(send_v2, client, event(cus, "one")).code == "archived_meter"

        client.v1.billing.meters.reactivate(mtr)
        send_v2(client, event(cus, "one"))

    def test_duplicate(self, double: Served, client: stripe.StripeClient) -> None:
        """A known identifier."""
        meter(client)
        cus = customer(client)
        send_v2(client, event(cus, "one"))

        assert refusal(send_v2, client, event(cus, "one")).code == "duplicate_meter_event"

    @pytest.mark.parametrize(
        ("offset", "code"), [(-36 * DAY, "timestamp_too_far_in_past"), (HOUR, "timestamp_in_future")]
    )
    def test_timestamps(self, offset: int, code: str, double: Served, client: stripe.StripeClient) -> None:
        """The codes of Stripe's meter error reports."""
        at_noon(double)
        meter(client)

        assert refusal(send_v2, client, event(customer(client), "one", timestamp=NOON + offset)).code == code

    @pytest.mark.parametrize("timestamp", ["2026-03-15", "2026-03-15T12:00:00", "yesterday", "1773576000"])
    def test_a_timestamp_is_rfc3339(self, timestamp: str, double: Served, client: stripe.StripeClient) -> None:
        """With an offset, and not in Unix seconds."""
        meter(client)
        params = event(customer(client), "one", timestamp=timestamp)

        with pytest.raises(stripe.InvalidRequestError, match="timestamp"):
            client.v2.billing.meter_events.create(params)

    def test_a_value_is_a_string(self, double: Served, client: stripe.StripeClient) -> None:
        """A JSON number is refused."""
        meter(client)
        payload = {"stripe_customer_id": customer(client), "value": 3}

        refusal(send_v2, client, {"event_name": "sms.send", "payload": payload})

    def test_the_answer_has_v2s_moments(self, double: Served, client: stripe.StripeClient) -> None:
        """Timestamps come back in RFC 3339, in UTC."""
        at_noon(double)
        meter(client)
        params = event(customer(client), "one", timestamp="2026-03-15T14:00:00.250+02:00")

        client.v2.billing.meter_events.create(params)

        assert json.loads(double.last.answer)["timestamp"] == "2026-03-15T12:00:00.250Z"


class TestV1Refusals:
    """v1 says why in the message only, but for an unknown customer."""

    def test_a_duplicate_has_no_code(self, double: Served, client: stripe.StripeClient) -> None:
        """The message alone tells."""
        meter(client)
        cus = customer(client)
        send_v1(client, event(cus, "one"))

        error = refusal(send_v1, client, event(cus, "one")).error
        assert (error.code, error.type) == (None, "invalid_request_error")

    def test_an_unknown_customer_is_missing(self, double: Served, client: stripe.StripeClient) -> None:
        """With the payload's key as the parameter."""
        meter(client)

        error = refusal(send_v1, client, event("cus_x", "one"))
        assert (error.code, error.param) == ("resource_missing", "payload[stripe_customer_id]")

    def test_no_meter(self, double: Served, client: stripe.StripeClient) -> None:
        """An unknown event name, and that of an archived meter."""
        client.v1.billing.meters.deactivate(meter(client, "archived"))

        for name in ("unknown", "archived"):
            message = refusal(send_v1, client, event(customer(client), "one", event_name=name)).user_message
            assert message == f'No active meter found for event name "{name}".'
