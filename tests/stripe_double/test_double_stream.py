"""The meter event stream: sessions, silent verdicts, limits."""

from typing import Any

import pytest
import stripe

from tests.support.eventually import eventually

from .arrange import DAY, HOUR, MINUTE, NOON, advance, at_noon, customer, event, meter, rfc3339
from .served import Served


def send(stream: stripe.StripeClient, *events: dict[str, Any]) -> None:
    """One request."""
    stream.v2.billing.meter_event_stream.create({"events": list(events)})


def reports(double: Served) -> list[Any]:
    """The error reports so far, once the current window is over."""
    advance(double, MINUTE)
    return eventually(lambda: double.live.v2.core.events.list().data, what="a report")


def codes(report: Any) -> dict[str, int]:
    """How many events each code refused."""
    return {each.code: each.error_count for each in report.data.reason.error_types}


def about(report: Any) -> str | None:
    """The meter's id, where there is one."""
    return report.related_object.id if "related_object" in report else None


class TestSessions:
    """POST /v2/billing/meter_event_session."""

    def test_a_token_lasts_15_minutes(self, double: Served) -> None:
        """After that the stream answers 401 of a type of its own, and a new session goes on."""
        at_noon(double)
        meter(double.live)
        cus = customer(double.live)
        stream = double.stream()
        send(stream, event(cus, "one"))

        advance(double, 14 * MINUTE)
        send(stream, event(cus, "two"))
        advance(double, 2 * MINUTE)
        with pytest.raises(stripe.TemporarySessionExpiredError) as caught:
            send(stream, event(cus, "three"))
        assert caught.value.http_status == 401
        assert caught.value.code == "billing_meter_event_session_expired"
        send(double.stream(), event(cus, "three"))

        assert double.control("usage")["events"] == 3

    def test_the_answer_says_when_it_expires(self, double: Served) -> None:
        """Fifteen minutes after it was created."""
        at_noon(double)
        session = double.live.v2.billing.meter_event_session.create()

        assert (session.livemode, session.created[:16]) == (True, "2026-03-15T12:00")
        assert session.expires_at[:16] == "2026-03-15T12:15"

    def test_test_keys_are_refused_unless_a_setting_allows_them(
        self, double: Served, client: stripe.StripeClient
    ) -> None:
        """The stream is for live mode only; the setting is the double's own."""
        with pytest.raises(stripe.InvalidRequestError, match="live mode"):
            client.v2.billing.meter_event_session.create()

        double.control("settings", {"stream_in_test_mode": True})
        meter(client)
        token = client.v2.billing.meter_event_session.create().authentication_token
        send(double.client(token), event(customer(client), "one"))
        assert double.control("usage")["events"] == 1

    @pytest.mark.parametrize("token", ["sk_live_double", "mes_live_unknown"])
    def test_nothing_else_opens_the_stream(self, token: str, double: Served) -> None:
        """Neither an API key nor an invented token; and a token opens nothing else."""
        with pytest.raises(stripe.AuthenticationError):
            send(double.client(token), event("cus_x", "one"))
        with pytest.raises(stripe.AuthenticationError):
            double.stream().v1.customers.list()


class TestVerdicts:
    """A readable request is always answered {}; its effects are visible later."""

    def test_good_and_bad_in_one_request(self, double: Served) -> None:
        """The good ones count; each bad one is reported under its code, a duplicate nowhere."""
        at_noon(double)
        live = double.live
        meter(live)
        archived = meter(live, "voice.ai")
        live.v1.billing.meters.deactivate(archived)
        cus, deleted = customer(live), customer(live)
        live.v1.customers.delete(deleted)
        send(
            double.stream(),
            event(cus, "good", 7),
            event(cus, "good", 7),
            event(deleted, "deleted"),
            event("cus_x", "unknown"),
            event(cus, "value", "much"),
            event(cus, "nobody", payload={"value": "1"}),
            event(cus, "old", timestamp=rfc3339(NOON - 36 * DAY)),
            event(cus, "early", timestamp=rfc3339(NOON + HOUR)),
            event(cus, "archived", event_name="voice.ai"),
            event(cus, "no meter", event_name="unheard.of"),
        )

        assert double.last.answer == b"{}"
        assert double.control("usage") == {"totals": {cus: {"sms.send": 7}}, "events": 1}
        by_type = {(each.type, about(each)): each for each in reports(double)}
        assert codes(by_type["v1.billing.meter.no_meter_found", None]) == {"no_meter": 1}
        assert codes(by_type["v1.billing.meter.error_report_triggered", archived]) == {"archived_meter": 1}
        (main,) = [codes(each) for key, each in by_type.items() if key[1] not in {None, archived}]
        assert main == {
            "meter_event_customer_not_found": 2,
            "meter_event_invalid_value": 1,
            "meter_event_no_customer_defined": 1,
            "timestamp_in_future": 1,
            "timestamp_too_far_in_past": 1,
        }

    def test_a_report_counts_all_and_names_a_few(self, double: Served) -> None:
        """Per window: of 150 refused events it tells five identifiers."""
        at_noon(double)
        meter(double.live)
        stream = double.stream()
        double.control("settings", {"report_window": 3600})
        for start in (0, 100):
            send(stream, *(event("cus_x", f"bad{start + number}") for number in range(100 if start == 0 else 50)))
        advance(double, HOUR)

        (report,) = reports(double)
        (only,) = report.data.reason.error_types
        assert (report.data.reason.error_count, only.error_count) == (150, 150)
        assert [each.request.identifier for each in only.sample_errors] == [f"bad{number}" for number in range(5)]

    def test_an_identifier_is_one_across_endpoints(self, double: Served) -> None:
        """An event that the stream has taken is a duplicate for the synchronous endpoint."""
        meter(double.live)
        cus = customer(double.live)
        send(double.stream(), event(cus, "one"))

        with pytest.raises(stripe.InvalidRequestError) as caught:
            double.live.v2.billing.meter_events.create(event(cus, "one"))
        assert caught.value.code == "duplicate_meter_event"


class TestLimits:
    """Requests that the stream refuses at once."""

    def test_at_most_100_events_a_request(self, double: Served) -> None:
        """100 are taken; 101, none, or one that can't be read are refused whole."""
        meter(double.live)
        cus, stream = customer(double.live), double.stream()
        send(stream, *(event(cus, f"e{number}") for number in range(100)))
        for bad in (
            [event(cus, f"f{number}") for number in range(101)],
            [],
            [event(cus, "good"), event(cus, "bad", timestamp="noon")],
        ):
            with pytest.raises(stripe.InvalidRequestError):
                send(stream, *bad)

        assert double.control("usage")["events"] == 100

    def test_the_rate_is_counted_in_events(self, double: Served) -> None:
        """More than a second takes: 429 with the reason, nothing taken."""
        meter(double.live)
        cus, stream = customer(double.live), double.stream()
        double.control("settings", {"stream_events_per_second": 9})

        with pytest.raises(stripe.RateLimitError) as caught:
            send(stream, *(event(cus, f"e{number}") for number in range(10)))
        assert caught.value.headers["stripe-rate-limited-reason"] == "endpoint-rate"
        send(stream, *(event(cus, f"f{number}") for number in range(9)))
        assert double.control("usage")["events"] == 9

    def test_single_calls_have_a_limit_if_set(self, double: Served, client: stripe.StripeClient) -> None:
        """As a sandbox has: of ten calls at a limit of one a second at least one is refused."""
        meter(client)
        cus = customer(client)
        double.control("settings", {"calls_per_second": 1})

        def send_ten() -> None:
            for number in range(10):
                client.v2.billing.meter_events.create(event(cus, f"e{number}"))

        with pytest.raises(stripe.RateLimitError):
            send_ten()
