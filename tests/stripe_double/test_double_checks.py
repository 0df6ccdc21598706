"""The controls for checks of a client: resends, two bodies, concurrency, sums; and the settings."""

import asyncio
from typing import Any

import httpx
import pytest
import stripe

from .arrange import DAY, HOUR, NOON, advance, at_noon, customer, event, meter, rfc3339
from .served import Served


def send(client: stripe.StripeClient, params: dict[str, Any]) -> None:
    """One v2 event; a refusal is all right."""
    try:
        client.v2.billing.meter_events.create(params)
    except stripe.StripeError:
        return


class TestSightings:
    """The events that arrived, accepted or not."""

    def test_a_resend_is_counted_with_its_first_and_last_moment(
        self, double: Served, client: stripe.StripeClient
    ) -> None:
        """Across v1, v2 and the stream; events that came once are not listed."""
        at_noon(double)
        meter(client)
        cus = customer(client)
        params = event(cus, "again")
        send(client, params)
        send(client, event(cus, "once"))
        advance(double, HOUR)
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.billing.meter_events.create(params)
        advance(double, HOUR)
        send(client, params)

        resent = double.control("checks")["resent"]
        assert resent["count"] == 1
        (again,) = resent["identifiers"].values()
        assert again["times"] == 3
        assert again["first"] == pytest.approx(NOON, abs=60)
        assert again["last"] - again["first"] == pytest.approx(2 * HOUR, abs=60)

    def test_an_identifier_with_two_bodies_is_named(self, double: Served, client: stripe.StripeClient) -> None:
        """The order of keys and v1's and v2's forms of a moment are no difference; value, customer and moment are."""
        at_noon(double)
        meter(client)
        cus, other = customer(client), customer(client)
        for number, changed in enumerate(
            ({"value": 2}, {"customer": other}, {"timestamp": rfc3339(NOON - 60)}, {"event_name": "voice.ai"})
        ):
            sent = {"customer": cus, "value": 1, "timestamp": rfc3339(NOON), "event_name": "sms.send"}
            for body in (sent, sent | changed):
                send(client, event(body.pop("customer"), f"bad{number}", body.pop("value"), **body))
        same = {"value": "1", "stripe_customer_id": cus}
        send(client, event(cus, "good", timestamp=rfc3339(NOON)))
        send(client, event(cus, "good", payload=same, timestamp="2026-03-15T14:00:00+02:00"))
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.billing.meter_events.create(event(cus, "good", timestamp=NOON))

        conflicting = double.control("checks")["conflicting"]
        assert conflicting == {"count": 4, "identifiers": [f"bad{number}" for number in range(4)]}

    def test_a_fault_hides_nothing(self, double: Served, client: stripe.StripeClient) -> None:
        """Events that a fault dropped still count as arrived."""
        meter(client)
        cus = customer(client)
        double.control("faults", [{"fault": "refuse_and_drop"}])
        for _ in range(2):
            send(client, event(cus, "one"))

        assert double.control("checks")["resent"]["identifiers"]["one"]["times"] == 2

    def test_lists_are_bounded_and_counts_are_not(self, double: Served, client: stripe.StripeClient) -> None:
        """`limit` bounds the names."""
        meter(client)
        cus = customer(client)
        for identifier in ("a", "a", "b", "b"):
            send(client, event(cus, identifier))

        resent = double.control("checks?limit=1")["resent"]
        assert (resent["count"], list(resent["identifiers"])) == (2, ["a"])


async def test_the_most_calls_at_once_are_known(double: Served, client: stripe.StripeClient) -> None:
    """Per customer and meter: a second one that came too early counts, though it was refused at once."""
    meter(client)
    cus = customer(client)
    assert double.control("checks")["concurrency"] == {"most": 1, "lanes": {}}
    double.control("latency", {"seconds": 3})

    await asyncio.gather(*(asyncio.to_thread(send, double.client(), event(cus, f"e{number}")) for number in range(3)))

    assert double.control("checks")["concurrency"] == {"most": 2, "lanes": {f"{cus} sms.send": 2}}
    assert double.control("checks")["totals"] == {cus: {"sms.send": 1}}


class TestSettings:
    """How the double behaves."""

    def test_only_what_is_named_changes(self, double: Served) -> None:
        """The rest stays."""
        before = double.control("settings")
        assert double.control("settings", {"summary_lag": 5}) == before | {"summary_lag": 5}
        assert double.control("settings") == before | {"summary_lag": 5}

    @pytest.mark.parametrize("change", [{"colour": "red"}, {"summary_lag": -1}, {"webhook_url": "ftp://x"}])
    def test_nonsense_is_refused(self, change: dict[str, Any], double: Served) -> None:
        """422, and nothing changes."""
        before = double.control("settings")
        assert httpx.post(f"{double.url}/_double/settings", json=change).status_code == 422
        assert double.control("settings") == before

    def test_a_portal_that_was_never_set_up(self, double: Served, client: stripe.StripeClient) -> None:
        """No session without a configuration, and none to list."""
        cus = customer(client)
        double.control("settings", {"portal_configured": False})

        assert client.v1.billing_portal.configurations.list().data == []
        with pytest.raises(stripe.InvalidRequestError, match="default configuration has not been created"):
            client.v1.billing_portal.sessions.create({"customer": cus})
        double.control("settings", {"portal_configured": True})
        assert client.v1.billing_portal.sessions.create({"customer": cus}).url


class TestImport:
    """What an import of customers and anchors reads."""

    def test_every_subscription_is_listed_page_by_page(self, double: Served, client: stripe.StripeClient) -> None:
        """With customer, anchor, start, status, and the current period on each item."""
        at_noon(double)
        product = client.v1.products.create({"name": "Telephony"}).id
        recurring = {"interval": "month", "usage_type": "metered", "meter": meter(client)}
        price = client.v1.prices.create(
            {"currency": "usd", "product": product, "unit_amount": 1, "recurring": recurring}
        ).id
        made = {}
        for day in range(12):
            cus = customer(client)
            params = {"customer": cus, "items": [{"price": price}], "billing_cycle_anchor": NOON + (day + 1) * DAY}
            made[cus] = client.v1.subscriptions.create(params)
        listed = list(client.v1.subscriptions.list({"limit": 5, "status": "active", "price": price}).auto_paging_iter())

        assert {each.customer: each.billing_cycle_anchor for each in listed} == {
            cus: each.billing_cycle_anchor for cus, each in made.items()
        }
        assert len(listed) == 12
        for each in listed:
            item = each["items"].data[0]
            assert item.current_period_start <= NOON + 60 < item.current_period_end == each.billing_cycle_anchor
            assert (each.status, each.start_date) == ("active", made[each.customer].start_date)
        assert client.v1.subscriptions.list({"status": "past_due"}).data == []
