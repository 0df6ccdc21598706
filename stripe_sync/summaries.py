"""What Stripe's event summaries say of a customer and meter."""

from typing import Literal, Protocol

import stripe

from metering.row import Row

MINUTE_SECONDS = 60
_PAGE = 100  # Stripe's most


class Summaries(Protocol):
    """Answers what Stripe holds."""

    async def units(self, row: Row) -> int:
        """Units that Stripe holds for the row's customer, meter and minute; raises a StripeError if it can't tell."""
        ...


class StripeSummaries:
    """Stripe's own summaries. Eventually consistent: ask about what is hours old."""

    def __init__(self, client: stripe.StripeClient, meter_ids: dict[str, str]) -> None:
        self._client = client
        self._meter_ids = meter_ids

    async def units(self, row: Row) -> int:
        """Sums the minute that contains the row's timestamp."""
        start = row.timestamp // MINUTE_SECONDS * MINUTE_SECONDS
        return await self.total(row.customer, row.meter, start, start + MINUTE_SECONDS)

    async def total(self, customer: str, meter: str, start: int, end: int) -> int:
        """The units of [start, end), whole minutes in Unix seconds.

        Raises:
            stripe.StripeError: Stripe can't tell.
        """
        page = await self._client.v1.billing.meters.event_summaries.list_async(
            self._meter_ids[meter], {"customer": customer, "start_time": start, "end_time": end}
        )
        return sum(round(summary.aggregated_value) for summary in page.data)

    async def windows(
        self, customer: str, meter: str, start: int, end: int, window: Literal["hour", "day"]
    ) -> dict[int, int]:
        """The units of each UTC hour or day of [start, end) that has any, by its first second.

        Raises:
            stripe.StripeError: Stripe can't tell.
        """
        page = await self._client.v1.billing.meters.event_summaries.list_async(
            self._meter_ids[meter],
            {
                "customer": customer,
                "start_time": start,
                "end_time": end,
                "value_grouping_window": window,
                "limit": _PAGE,
            },
        )
        return {each.start_time: round(each.aggregated_value) async for each in page.auto_paging_iter()}
