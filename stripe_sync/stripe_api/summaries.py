"""What Stripe's event summaries say of a customer and meter."""

from collections import Counter
from enum import Enum, auto
from typing import Literal, Protocol

import stripe

from metering.row import Row
from metering.span import MINUTE_SECONDS
from stripe_sync.stripe_api.meter_ids import MeterIds

_PAGE = 100  # Stripe's most


class Presence(Enum):
    """Whether Stripe has a row, by the summary of its minute."""

    HELD = auto()
    ABSENT = auto()
    UNDECIDABLE = auto()


def as_told(units: int) -> int:
    """A sum as a summary tells it: `aggregated_value` is a JSON number, exact up to 2**53 only."""
    return int(float(units))


def presence(held: int, without: int, value: int) -> Presence:
    """What a summary says of one row.

    Args:
        held: the summary's units of the row's customer, meter and minute.
        without: what Stripe has accepted there by other rows.
        value: the row's units.
    """
    there, absent = held == as_told(without + value), held == as_told(without)
    if there is absent:
        return Presence.UNDECIDABLE
    return Presence.HELD if there else Presence.ABSENT


class Summaries(Protocol):
    """Answers what Stripe holds."""

    async def units(self, row: Row) -> int:
        """Units that Stripe holds for the row's customer, meter and minute; raises a StripeError if it can't tell."""
        ...


class StripeSummaries:
    """Stripe's own, of all meters that ever had a name. Eventually consistent: ask about what is hours old."""

    def __init__(self, client: stripe.StripeClient, meter_ids: MeterIds) -> None:
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
        held = 0
        for meter_id in await self._meter_ids.of(meter):
            page = await self._client.v1.billing.meters.event_summaries.list_async(
                meter_id, {"customer": customer, "start_time": start, "end_time": end}
            )
            held += sum(round(summary.aggregated_value) for summary in page.data)
        return held

    async def windows(
        self, customer: str, meter: str, start: int, end: int, window: Literal["hour", "day"]
    ) -> dict[int, int]:
        """The units of each UTC hour or day of [start, end) that has any, by its first second.

        Raises:
            stripe.StripeError: Stripe can't tell.
        """
        held = Counter[int]()
        for meter_id in await self._meter_ids.of(meter):
            page = await self._client.v1.billing.meters.event_summaries.list_async(
                meter_id,
                {
                    "customer": customer,
                    "start_time": start,
                    "end_time": end,
                    "value_grouping_window": window,
                    "limit": _PAGE,
                },
            )
            async for each in page.auto_paging_iter():
                held[each.start_time] += round(each.aggregated_value)
        return dict(held)
