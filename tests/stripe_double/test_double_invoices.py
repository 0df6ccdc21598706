"""The invoices: usage by period, final a grace period after the period's end."""

from datetime import UTC, datetime
from typing import Any

import stripe

from .arrange import DAY, HOUR, MINUTE, NOON, advance, at_noon, customer, event, meter, metered_price
from .served import Served

END = int(datetime(2026, 4, 15, 12, tzinfo=UTC).timestamp())


def subscribed(client: stripe.StripeClient) -> tuple[str, str]:
    """A customer with a subscription from now on: (customer, subscription); the meter is sms.send."""
    price, cus = metered_price(client), customer(client)
    return cus, client.v1.subscriptions.create({"customer": cus, "items": [{"price": price}]}).id


def send(client: stripe.StripeClient, cus: str, value: int, timestamp: int) -> None:
    """An event whose identifier is its value."""
    client.v1.billing.meter_events.create(event(cus, str(value), value, timestamp=timestamp))


def lines(double: Served, cus: str) -> list[tuple[int, int, str, float, float]]:
    """(start, end, status, billed, late) of each line."""
    (invoice,) = double.control(f"invoices?customer={cus}")
    names = ("start", "end", "status", "billed", "late")
    return [tuple(line[name] for name in names) for line in invoice["lines"]]


class TestFinalization:
    """The same usage, sooner or later."""

    def test_open_then_draft_then_final(self, double: Served, client: stripe.StripeClient) -> None:
        """Usage that arrives before the invoice is final is billed; after it it is accepted, and late for ever."""
        start = at_noon(double) + MINUTE
        double.control("clock", {"set": NOON})
        cus, subscription = subscribed(client)
        anchor = client.v1.subscriptions.retrieve(subscription).billing_cycle_anchor
        end = END + anchor - NOON
        send(client, cus, 1, start)
        assert lines(double, cus) == [(anchor, end, "open", 1, 0)]

        double.control("clock", {"set": end + MINUTE})
        send(client, cus, 10, end - 1)
        assert lines(double, cus) == [(anchor, end, "draft", 11, 0)]

        double.control("clock", {"set": end + HOUR + MINUTE})
        send(client, cus, 100, end - 1)
        send(client, cus, 1000, end)
        assert lines(double, cus)[0] == (anchor, end, "final", 11, 100)
        assert lines(double, cus)[1][2:] == ("open", 1000, 0)
        assert double.control("usage")["totals"] == {cus: {"sms.send": 1111}}

    def test_the_grace_can_be_longer(self, double: Served, client: stripe.StripeClient) -> None:
        """Up to 72 hours at Stripe."""
        at_noon(double)
        double.control("settings", {"finalization_grace": 72 * HOUR})
        cus, _ = subscribed(client)
        send(client, cus, 1, NOON + MINUTE)
        advance(double, 33 * DAY)
        send(client, cus, 10, NOON + HOUR)

        (line,) = lines(double, cus)
        assert line[2:] == ("draft", 11, 0)


class TestPeriods:
    """Which period usage belongs to."""

    def test_without_a_subscription_it_is_the_calendar_month(self, double: Served, client: stripe.StripeClient) -> None:
        """In UTC."""
        at_noon(double)
        mtr, cus = meter(client), customer(client)
        send(client, cus, 1, NOON)
        (invoice,) = double.control("invoices")
        (line,) = invoice["lines"]

        assert (invoice["customer"], invoice["subscription"], line["meter"]) == (cus, None, mtr)
        assert [datetime.fromtimestamp(line[name], UTC).isoformat()[:16] for name in ("start", "end")] == [
            "2026-03-01T00:00",
            "2026-04-01T00:00",
        ]

    def test_usage_before_the_start_and_after_the_end_is_outside(
        self, double: Served, client: stripe.StripeClient
    ) -> None:
        """Nobody is billed for it."""
        at_noon(double)
        cus, subscription = subscribed(client)
        send(client, cus, 1, NOON - HOUR)
        send(client, cus, 10, NOON + MINUTE)
        advance(double, DAY)
        client.v1.subscriptions.cancel(subscription)
        send(client, cus, 100, NOON + DAY + 3 * MINUTE)

        assert [line[2:] for line in lines(double, cus)] == [
            ("outside", 0, 1),
            ("draft", 10, 0),
            ("outside", 0, 100),
        ]

    def test_modes_are_apart(self, double: Served, client: stripe.StripeClient) -> None:
        """Live ones are shown when asked for."""
        meter(double.live)
        cus = customer(double.live)
        double.live.v2.billing.meter_events.create(event(cus, "one"))

        assert double.control("invoices") == []
        (invoice,) = double.control("invoices?livemode=true")
        assert invoice["customer"] == cus


class TestLag:
    """Summaries that come late."""

    def shown(self, client: stripe.StripeClient, mtr: str, cus: str) -> Any:
        """What the summary of two days says."""
        params = {"customer": cus, "start_time": NOON - DAY, "end_time": NOON + DAY}
        return client.v1.billing.meters.event_summaries.list(mtr, params).data[0].aggregated_value

    def test_an_event_is_shown_after_the_lag(self, double: Served, client: stripe.StripeClient) -> None:
        """Not before, by the double's clock."""
        at_noon(double)
        double.control("settings", {"summary_lag": 600})
        mtr, cus = meter(client), customer(client)
        send(client, cus, 5, NOON)
        assert self.shown(client, mtr, cus) == 0

        advance(double, 500)
        assert self.shown(client, mtr, cus) == 0
        advance(double, 110)
        assert self.shown(client, mtr, cus) == 5

    def test_what_was_shown_stays_shown(self, double: Served, client: stripe.StripeClient) -> None:
        """Whatever happens to the clock and to the lag."""
        at_noon(double)
        mtr, cus = meter(client), customer(client)
        send(client, cus, 5, NOON)
        double.control("settings", {"summary_lag": 600})
        assert self.shown(client, mtr, cus) == 5

        advance(double, -HOUR)
        assert self.shown(client, mtr, cus) == 5
        double.control("settings", {"summary_lag": 7200})
        assert self.shown(client, mtr, cus) == 5
