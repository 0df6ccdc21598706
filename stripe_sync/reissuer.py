"""Brings rows that missed their period's cut-off to the current period, under the rule for every reissue.

Such a row was in flight when Stripe was about to finalise the invoice. Nobody has to decide anything: if Stripe's
summary lacks it, its units are carried forward under a new identifier; if Stripe has it, it was delivered.
"""

import logging

from ledger.pushes import read_accepted, read_accounts, read_parked
from ledger.reading import NotReadyError
from ledger.shard import Shard
from metering.billing_time import Stamp, stamp
from metering.outcome import ParkReason
from metering.push_fold import QUIET_MS, Parked
from metering.push_log import ReissueOrder, RetryOrder, StripeIdentity
from runtime.clock import Clock
from stripe_sync.outcomes import FAILURES
from stripe_sync.sender import Admit
from stripe_sync.summaries import Summaries

log = logging.getLogger(__name__)

WHO = "stripe_sync"
LOOK_SECONDS = 300.0  # between two looks at the parked rows
MARGIN_MS = 60_000  # for the broker's clock: an order that comes too early is ignored


class Reissuer:
    """One shard's."""

    def __init__(
        self,
        shard: Shard,
        identity: StripeIdentity,
        summaries: Summaries,
        clock: Clock,
        *,
        grace: int,
        admit: Admit,
    ) -> None:
        self._shard = shard
        self._identity = identity
        self._summaries = summaries
        self._clock = clock
        self._grace = grace
        self._admit = admit
        self._next_look = clock.monotonic()

    async def orders(self) -> list[ReissueOrder | RetryOrder]:
        """What is to be ordered now; nothing but now and then."""
        now = self._clock.monotonic()
        if now < self._next_look:
            return []
        self._next_look = now + LOOK_SECONDS
        waiting = {name: entry for name, entry in (await read_parked(self._shard)).items() if self._is_ripe(entry)}
        found = [await self._order(name, entry) for name, entry in waiting.items()]
        return [order for order in found if order is not None]

    def _is_ripe(self, entry: Parked) -> bool:
        missed = entry.reason is ParkReason.MISSED_CUTOFF
        return missed and self._clock.now_ms() - entry.parked_ms >= QUIET_MS + MARGIN_MS

    async def _order(self, name: str, entry: Parked) -> ReissueOrder | RetryOrder | None:
        row = entry.row
        without = await read_accepted(self._shard, row, name)
        if without is None:  # somebody was faster
            return None
        await self._admit()
        try:
            held = await self._summaries.units(row)
        except FAILURES as error:
            log.warning("row %s missed its cut-off, and Stripe does not say if it is there: %s", name, error)
            return None
        if held == without + row.value:
            return RetryOrder(identifier=name, who=WHO, why="missed its cut-off, but Stripe's summary has it")
        if held != without:
            log.warning("row %s missed its cut-off; the summary says %d, %d without it: left", name, held, without)
            return None
        try:
            account = (await read_accounts(self._shard, [row.account]))[row.account]
        except NotReadyError:
            return None
        stamped = stamp(row.hour, account, now=self._clock.now_ms() // 1000, grace=self._grace)
        if not isinstance(stamped, Stamp) or account.customer is None:
            return None
        new = row.model_copy(
            update={"customer": account.customer, "timestamp": stamped.timestamp, "carried": stamped.carried}
        )
        if new == row:
            return None
        return ReissueOrder(
            old=name,
            parked_ms=entry.parked_ms,
            namespace=self._identity.namespace,
            row=new,
            who=WHO,
            why="missed its period's cut-off",
        )
