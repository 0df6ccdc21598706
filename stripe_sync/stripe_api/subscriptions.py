"""What Stripe's subscriptions of a customer bill, as far as usage is concerned."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Self

import stripe

_PAGE = 100  # Stripe's most
_NEVER_BEGUN = {"incomplete", "incomplete_expired"}  # its first invoice was not paid


@dataclass(frozen=True, slots=True)
class Subscribed:
    """One subscription. Times are Unix seconds, None for never.

    Attributes:
        id: Stripe's.
        begins: from when on it bills; None while its first invoice is not paid.
        ended: when it was cancelled, or ended.
        paused: whether it, or its collection, is paused: its current invoices are drafts or void.
        meters: the ids of the meters that it has a price for, each with the start of that item's current period.
    """

    id: str
    begins: int | None
    ended: int | None
    paused: bool
    meters: Mapping[str, int]

    @classmethod
    def parse(cls, told: stripe.Subscription) -> Self:
        """From Stripe's object. Source: Stripe's API, "The Subscription object": `status`, `pause_collection`."""
        meters = {
            item.price.recurring.meter: item.current_period_start
            for item in told["items"].data  # `.items` is a dictionary's method
            if item.price.recurring is not None and item.price.recurring.meter is not None
        }
        return cls(
            told.id,
            None if told.status in _NEVER_BEGUN else told.start_date,
            told.ended_at,
            told.status == "paused" or told.pause_collection is not None,
            meters,
        )


class StripeSubscriptions:
    """Asks for a customer's subscriptions, ended ones too. `admit` waits for the next question's turn."""

    def __init__(self, client: stripe.StripeClient, admit: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._admit = admit

    async def of(self, customer: str) -> list[Subscribed]:
        """All of them.

        Raises:
            stripe.StripeError: Stripe does not tell, or does not know the customer.
        """
        await self._admit()
        page = await self._client.v1.subscriptions.list_async({"customer": customer, "status": "all", "limit": _PAGE})
        return [Subscribed.parse(each) async for each in page.auto_paging_iter()]
