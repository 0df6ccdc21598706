"""Event summaries: the usage that Stripe has counted."""

from typing import Any

import pytest
import stripe

from .arrange import DAY, HOUR, MINUTE, NOON, at_noon, customer, event, meter
from .served import Served

MIDNIGHT = NOON - 12 * HOUR


def send(client: stripe.StripeClient, cus: str, **at: int) -> None:
    """One event per keyword: `e3_value=seconds` relative to noon would be obscure, so value by identifier."""
    for identifier, timestamp in at.items():
        value = int(identifier.rpartition("_")[2])
        client.v1.billing.meter_events.create(event(cus, identifier, value, timestamp=timestamp))


def summaries(client: stripe.StripeClient, mtr: str, cus: str, start: int, end: int, **more: Any) -> Any:
    """The list for one customer."""
    params = {"customer": cus, "start_time": start, "end_time": end} | more
    return client.v1.billing.meters.event_summaries.list(mtr, params)


def values(page: Any) -> list[tuple[int, float]]:
    """(start, value) of each summary."""
    return [(each.start_time, each.aggregated_value) for each in page.data]


class TestRanges:
    """Which events a summary has."""

    def test_a_range_is_one_summary_from_start_to_before_end(self, double: Served, client: stripe.StripeClient) -> None:
        """The end's own second belongs to the next range; so does another customer's or meter's usage to others."""
        at_noon(double)
        mtr, cus = meter(client), customer(client)
        minute = NOON - HOUR
        send(client, cus, a_1=minute - 1, b_10=minute, c_100=minute + 59, d_1000=minute + 60)
        send(client, customer(client), e_5=minute)

        page = summaries(client, mtr, cus, minute, minute + MINUTE)

        assert values(page) == [(minute, 110.0)]
        assert page.data[0].end_time == minute + MINUTE

    def test_no_usage_is_a_summary_of_zero(self, double: Served, client: stripe.StripeClient) -> None:
        """Be the customer deleted since."""
        mtr, cus = meter(client), customer(client)
        client.v1.customers.delete(cus)

        assert values(summaries(client, mtr, cus, MIDNIGHT, NOON)) == [(MIDNIGHT, 0.0)]

    @pytest.mark.parametrize(
        ("start", "end", "grouping"),
        [
            (NOON + 1, NOON + MINUTE, {}),
            (NOON, NOON + MINUTE + 1, {}),
            (NOON, NOON, {}),
            (NOON, NOON - MINUTE, {}),
            (NOON + MINUTE, NOON + HOUR, {"value_grouping_window": "hour"}),
            (MIDNIGHT, NOON, {"value_grouping_window": "day"}),
        ],
    )
    def test_an_unaligned_or_empty_range_is_refused(
        self, start: int, end: int, grouping: dict[str, str], double: Served, client: stripe.StripeClient
    ) -> None:
        """To the minute, or to the grouping window."""
        with pytest.raises(stripe.InvalidRequestError, match=r"aligned|before"):
            summaries(client, meter(client), customer(client), start, end, **grouping)

    def test_meter_and_customer_must_exist(self, double: Served, client: stripe.StripeClient) -> None:
        """404 for the path's, 400 for the parameter's."""
        mtr, cus = meter(client), customer(client)
        for names, status in (((mtr, "cus_x"), 400), (("mtr_x", cus), 404)):
            with pytest.raises(stripe.InvalidRequestError) as caught:
                summaries(client, *names, MIDNIGHT, NOON)
            assert (caught.value.http_status, caught.value.code) == (status, "resource_missing")


class TestWindows:
    """Grouping by hour and by day, and paging through it."""

    @pytest.fixture
    def usage(self, double: Served, client: stripe.StripeClient) -> tuple[str, str]:
        """Usage in three hours of two days: (meter, customer)."""
        at_noon(double)
        mtr, cus = meter(client), customer(client)
        send(client, cus, a_1=MIDNIGHT - HOUR, b_10=MIDNIGHT, c_100=MIDNIGHT + HOUR - 1, d_1000=MIDNIGHT + HOUR)
        return mtr, cus

    def test_by_hour(self, client: stripe.StripeClient, usage: tuple[str, str]) -> None:
        """Newest first, hours without usage left out."""
        page = summaries(client, *usage, MIDNIGHT - 2 * HOUR, NOON, value_grouping_window="hour")

        assert values(page) == [(MIDNIGHT + HOUR, 1000.0), (MIDNIGHT, 110.0), (MIDNIGHT - HOUR, 1.0)]

    def test_by_day(self, client: stripe.StripeClient, usage: tuple[str, str]) -> None:
        """UTC days."""
        page = summaries(client, *usage, MIDNIGHT - DAY, MIDNIGHT + DAY, value_grouping_window="day")

        assert values(page) == [(MIDNIGHT, 1110.0), (MIDNIGHT - DAY, 1.0)]

    def test_paging(self, client: stripe.StripeClient, usage: tuple[str, str]) -> None:
        """One at a time forwards, and back."""
        hours = {"value_grouping_window": "hour", "limit": 1}
        span = (MIDNIGHT - 2 * HOUR, NOON)
        first = summaries(client, *usage, *span, **hours)
        second = summaries(client, *usage, *span, **hours, starting_after=first.data[0].id)
        third = summaries(client, *usage, *span, **hours, starting_after=second.data[0].id)
        back = summaries(client, *usage, *span, **hours, ending_before=third.data[0].id)

        assert [page.has_more for page in (first, second, third)] == [True, True, False]
        assert values(third) == [(MIDNIGHT - HOUR, 1.0)]
        assert values(back) == values(second)
        with pytest.raises(stripe.InvalidRequestError, match="less than or equal to 100"):
            summaries(client, *usage, *span, limit=101)


class TestAggregation:
    """How values become one."""

    @pytest.mark.parametrize(("formula", "expected"), [("sum", 31.0), ("count", 3.0), ("last", 20.0)])
    def test_formulas(self, formula: str, expected: float, double: Served, client: stripe.StripeClient) -> None:
        """The last value is the one with the latest timestamp, whenever it was received."""
        at_noon(double)
        mtr, cus = meter(client, formula=formula), customer(client)
        send(client, cus, a_20=NOON - MINUTE, b_1=NOON - HOUR, c_10=NOON - 2 * MINUTE)

        assert values(summaries(client, mtr, cus, MIDNIGHT, NOON)) == [(MIDNIGHT, expected)]

    def test_a_counting_meter_needs_no_value(self, double: Served, client: stripe.StripeClient) -> None:
        """Each event is one."""
        meter(client, formula="count")
        cus = customer(client)
        client.v2.billing.meter_events.create(event(cus, "one", payload={"stripe_customer_id": cus}))

        assert double.control("usage")["totals"] == {cus: {"sms.send": 1}}

    def test_on_a_pre_aggregated_meter_the_last_event_received_replaces(
        self, double: Served, client: stripe.StripeClient
    ) -> None:
        """Per hour of event time: why such a meter must not be used for increments."""
        at_noon(double)
        mtr, cus = meter(client, event_time_window="hour"), customer(client)
        send(client, cus, a_5=NOON - 1, b_7=NOON - 2, c_3=NOON - HOUR - 1)

        assert values(summaries(client, mtr, cus, MIDNIGHT, NOON)) == [(MIDNIGHT, 10.0)]
