"""Subscriptions: which billing period is current."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from local.stripe.periods import Cycle

from .arrange import DAY, HOUR, NOON, advance, at_noon, customer, metered_price
from .served import Served


def moment(text: str) -> int:
    """Unix seconds of a UTC moment."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def subscribe(client: stripe.StripeClient, cus: str | None = None, **more: int) -> stripe.Subscription:
    """A new subscription to a new metered price."""
    params = {"customer": cus or customer(client), "items": [{"price": metered_price(client)}]}
    return client.v1.subscriptions.create(params | more)


def period(subscription: stripe.Subscription) -> tuple[int, int]:
    """The current period of a subscription's first item."""
    item = subscription["items"].data[0]
    return item.current_period_start, item.current_period_end


class TestPeriods:
    """The calendar, without the API."""

    @pytest.mark.parametrize(
        ("anchor", "at", "start", "end"),
        [
            ("2026-01-31T10:00", "2026-02-28T09:59:59", "2026-01-31T10:00", "2026-02-28T10:00"),
            ("2026-01-31T10:00", "2026-02-28T10:00", "2026-02-28T10:00", "2026-03-31T10:00"),
            ("2026-01-31T10:00", "2028-02-29T12:00", "2028-02-29T10:00", "2028-03-31T10:00"),
            ("2026-01-31T10:00", "2025-12-31T10:00", "2025-12-31T10:00", "2026-01-31T10:00"),
            ("2026-03-01T00:00", "2026-02-28T23:59:59", "2026-02-01T00:00", "2026-03-01T00:00"),
        ],
    )
    def test_months_are_clipped_and_come_back_to_the_anchors_day(
        self, anchor: str, at: str, start: str, end: str
    ) -> None:
        """The 31st is the 28th in February and the 31st again in March; before the anchor too."""
        assert Cycle(moment(anchor), "month").period(moment(at)) == (moment(start), moment(end))

    @given(
        anchor=st.integers(moment("2020-01-01"), moment("2030-01-01")),
        at=st.integers(moment("2020-01-01"), moment("2030-01-01")),
        interval=st.sampled_from(["day", "week", "month", "year"]),
        count=st.integers(1, 12),
    )
    def test_every_moment_is_in_its_period(self, anchor: int, at: int, interval: str, count: int) -> None:
        """And the periods touch."""
        start, end = Cycle(anchor, interval, count).period(at)

        assert start <= at < end
        assert Cycle(anchor, interval, count).period(end)[0] == end


class TestSubscriptions:
    """/v1/subscriptions."""

    def test_without_an_anchor_periods_begin_at_the_start(self, double: Served, client: stripe.StripeClient) -> None:
        """And go on from month to month as the clock does."""
        at_noon(double)
        made = subscribe(client)
        start, end = period(made)
        assert (start, made.billing_cycle_anchor, made.start_date) == (made.created,) * 3
        assert datetime.fromtimestamp(end, UTC) - datetime.fromtimestamp(start, UTC) == timedelta(days=31)

        advance(double, 31 * DAY)
        assert period(client.v1.subscriptions.retrieve(made.id))[0] == end

    def test_with_an_anchor_the_first_period_is_shorter(self, double: Served, client: stripe.StripeClient) -> None:
        """From the start to the anchor, then whole months."""
        at_noon(double)
        anchor = NOON + 3 * DAY
        made = subscribe(client, billing_cycle_anchor=anchor)
        assert period(made) == (made.start_date, anchor)

        advance(double, 3 * DAY)
        assert period(client.v1.subscriptions.retrieve(made.id)) == (anchor, moment("2026-04-18T12:00"))

    def test_a_backdated_start_lies_in_the_past(self, double: Served, client: stripe.StripeClient) -> None:
        """With an anchor in the future the current period begins a month before the anchor."""
        at_noon(double)
        made = subscribe(client, billing_cycle_anchor=NOON + DAY, backdate_start_date=NOON - 60 * DAY)

        assert made.start_date == NOON - 60 * DAY
        assert period(made) == (moment("2026-02-16T12:00"), NOON + DAY)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"billing_cycle_anchor": NOON - HOUR},
            {"billing_cycle_anchor": NOON + 32 * DAY},
            {"backdate_start_date": NOON + HOUR},
        ],
    )
    def test_anchor_and_start_have_bounds(
        self, wrong: dict[str, int], double: Served, client: stripe.StripeClient
    ) -> None:
        """An anchor lies within the first month, a backdated start in the past."""
        at_noon(double)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            subscribe(client, **wrong)
        assert caught.value.param == next(iter(wrong))

    def test_cancel_ends_the_period_and_leaves_the_list(self, double: Served, client: stripe.StripeClient) -> None:
        """A canceled one is listed when asked for; its last period stays."""
        at_noon(double)
        cus = customer(client)
        made = subscribe(client, cus)
        canceled = client.v1.subscriptions.cancel(made.id)
        advance(double, 90 * DAY)

        assert canceled.status == "canceled"
        assert client.v1.subscriptions.list({"customer": cus}).data == []
        (listed,) = client.v1.subscriptions.list({"customer": cus, "status": "all"}).data
        assert period(listed) == period(made)
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.subscriptions.cancel(made.id)

    def test_deleting_a_customer_cancels(self, double: Served, client: stripe.StripeClient) -> None:
        """As at Stripe."""
        cus = customer(client)
        made = subscribe(client, cus)
        client.v1.customers.delete(cus)

        assert client.v1.subscriptions.retrieve(made.id).status == "canceled"

    def test_items_are_checked(self, double: Served, client: stripe.StripeClient) -> None:
        """Prices exist and recur at one interval; a metered one has no quantity; there is at least one."""
        monthly = metered_price(client)
        product = client.v1.products.create({"name": "Setup"}).id
        once = client.v1.prices.create({"currency": "usd", "product": product, "unit_amount": 1}).id
        yearly = client.v1.prices.create(
            {"currency": "usd", "product": product, "unit_amount": 1, "recurring": {"interval": "year"}}
        ).id
        wrong = (
            [{"price": "price_x"}],
            [{"price": once}],
            [{"price": monthly, "quantity": 1}],
            [{"price": monthly}, {"price": yearly}],
            [],
        )
        cus = customer(client)
        for items in wrong:
            with pytest.raises(stripe.InvalidRequestError):
                client.v1.subscriptions.create({"customer": cus, "items": items})
        assert client.v1.subscriptions.create({"customer": cus, "items": [{"price": yearly}]}).status == "active"
