"""One shard's accepted units, account by account: which of them are on no invoice."""

from collections.abc import Mapping
from typing import Protocol

from ledger.accepted import Lane
from metering.billing_time import OLDEST_SECONDS
from runtime.clock import Clock
from stripe_sync.reconcile.difference import Slot
from stripe_sync.reconcile.invoicing import Uncovered, uncovered
from stripe_sync.stripe_api.meter_ids import MeterIds
from stripe_sync.stripe_api.outcomes import FAILURES
from stripe_sync.stripe_api.subscriptions import Subscribed


class Subscriptions(Protocol):
    """Answers what a customer subscribes to."""

    async def of(self, customer: str) -> list[Subscribed]:
        """All of its subscriptions; raises a StripeError if Stripe does not tell."""
        ...


class Coverage:
    """Asks for each customer once in a look. Units older than Stripe takes are left out: nobody can mend them there."""

    def __init__(self, subscriptions: Subscriptions, meter_ids: MeterIds, clock: Clock) -> None:
        self._subscriptions = subscriptions
        self._meter_ids = meter_ids
        self._clock = clock

    def look(self) -> "CoverageLook":
        """A new look."""
        return CoverageLook(self._subscriptions, self._meter_ids, self._clock.now_ms() // 1000 - OLDEST_SECONDS)


class CoverageLook:
    """`found` is what no invoice has; `unread` why Stripe did not tell, once it has not: nobody is asked for more."""

    def __init__(self, subscriptions: Subscriptions, meter_ids: MeterIds, since: int) -> None:
        self._subscriptions = subscriptions
        self._meter_ids = meter_ids
        self._since = since
        self._told: dict[str, list[Subscribed]] = {}
        self.found: list[Uncovered] = []
        self.unread: str | None = None

    async def add(self, account: str, lane: Lane, slots: Mapping[int, Slot]) -> None:
        """Looks at an account's units of a customer and meter."""
        minutes = {at: slot.accepted for at, slot in slots.items() if at >= self._since and slot.accepted}
        if not minutes or self.unread is not None:
            return
        try:
            if lane.customer not in self._told:
                self._told = {lane.customer: await self._subscriptions.of(lane.customer)}  # lanes come by account
            ids = await self._meter_ids.of(lane.meter)
        except FAILURES as error:
            self.unread = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return
        self.found += uncovered(account, lane, minutes, ids, self._told[lane.customer])
