"""Stripe's ids of a meter's name: one as a rule, and one more each time that the meter was archived and made again.

What an archived meter has taken, Stripe holds as well: a row that went to it was delivered. So whoever asks what Stripe
holds under a name asks all meters that ever had it, and looks them up again after a while, since somebody may archive
and remake a meter while workers run.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import stripe

from runtime.clock import Clock
from stripe_sync.stripe_api.meters import every_meter

LISTED_SECONDS = 300.0  # how long a list is believed


class MeterIds(Protocol):
    """The ids of Stripe's meters."""

    async def of(self, name: str) -> Sequence[str]:
        """All that have, or had, the event name; raises a StripeError if Stripe does not tell."""
        ...


class KnownMeterIds:
    """Ids that are not looked up again: for a command's moment."""

    def __init__(self, ids: Mapping[str, Sequence[str]]) -> None:
        self._ids = ids

    async def of(self, name: str) -> Sequence[str]:
        """The ids."""
        return self._ids[name]


class ListedMeterIds:
    """Ids as Stripe lists them."""

    def __init__(self, client: stripe.StripeClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._listed: dict[str, tuple[str, ...]] = {}
        self._until = clock.monotonic()
        self._turn = asyncio.Lock()

    async def of(self, name: str) -> Sequence[str]:
        """The ids; the list is fetched again when it is old.

        Raises:
            stripe.StripeError: Stripe does not tell.
            ValueError: Stripe has no such meter.
        """
        async with self._turn:
            if self._clock.monotonic() >= self._until or name not in self._listed:
                await self.refresh()
        if name not in self._listed:
            raise ValueError(f"Stripe has no meter {name}")
        return self._listed[name]

    async def refresh(self) -> None:
        """Fetches the list."""
        self._listed = await summing_ids(self._client)
        self._until = self._clock.monotonic() + LISTED_SECONDS

    def name_of(self, meter_id: str) -> str | None:
        """The name that a meter was last listed under."""
        return next((name for name, ids in self._listed.items() if meter_id in ids), None)


async def summing_ids(client: stripe.StripeClient) -> dict[str, tuple[str, ...]]:
    """The ids by event name, of meters whose summaries are sums: what another one counts is no usage of ours."""
    found: dict[str, tuple[str, ...]] = {}
    for meter in await every_meter(client):
        if meter.default_aggregation.formula == "sum":
            found[meter.event_name] = (*found.get(meter.event_name, ()), meter.id)
    return found
