"""Customers whose usage is on an invoice, whatever it is: for tests about something else."""

from collections.abc import Mapping

from runtime.clock import Clock
from stripe_sync.reconcile.coverage import Coverage
from stripe_sync.stripe_api.subscriptions import Subscribed
from tests.stripe_sync.double import known


class Everything:
    """Each customer has a subscription to all meters, and always had."""

    def __init__(self, meter_ids: Mapping[str, str]) -> None:
        self._meters = dict.fromkeys(meter_ids.values(), 0)

    async def of(self, _customer: str) -> list[Subscribed]:
        """It."""
        return [Subscribed("sub_1", 0, None, paused=False, meters=self._meters)]


def all_covered(meter_ids: Mapping[str, str], clock: Clock) -> Coverage:
    """A coverage that finds nothing."""
    return Coverage(Everything(meter_ids), known(meter_ids), clock)
