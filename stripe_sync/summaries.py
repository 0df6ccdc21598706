"""What Stripe's event summaries say of one customer, meter and minute."""

from typing import Protocol

import stripe

from metering.row import Row

MINUTE_SECONDS = 60


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
        page = await self._client.v1.billing.meters.event_summaries.list_async(
            self._meter_ids[row.meter],
            {"customer": row.customer, "start_time": start, "end_time": start + MINUTE_SECONDS},
        )
        return sum(round(summary.aggregated_value) for summary in page.data)
