"""Brings rows that missed their period's cut-off to the current period, under the rule for every reissue.

Such a row was in flight when Stripe was about to finalise the invoice. Nobody has to decide anything: if Stripe's
summary lacks it, its units are carried forward under a new identifier; if Stripe has it, it was delivered.
"""

import logging

from ledger.pushes import read_accepted, read_accounts, read_parked_rows
from ledger.reading import NotReadyError
from ledger.shard import Shard
from metering.billing_time import Stamp, stamp
from metering.outcome import ParkReason
from metering.push_fold import QUIET_MS, Parked
from metering.push_log import ReissueOrder, RetryOrder, StripeIdentity
from runtime.clock import Clock
from stripe_sync.sending.sender import Admit
from stripe_sync.shard.claims import MayBill, anybody
from stripe_sync.stripe_api.outcomes import FAILURES
from stripe_sync.stripe_api.summaries import Presence, Summaries, presence
from stripe_sync.troubles import EVERYBODYS, Troubles

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
        may_bill: MayBill = anybody,
    ) -> None:
        """`may_bill` says whether a customer is an account's and nobody else's."""
        self._may_bill = may_bill
        self._shard = shard
        self._identity = identity
        self._summaries = summaries
        self._clock = clock
        self._grace = grace
        self._admit = admit
        self._next_look = clock.monotonic()
        self.troubles = Troubles("the row missed its cut-off, and can't be reissued: it stays parked")

    async def orders(self) -> list[ReissueOrder | RetryOrder]:
        """What is to be ordered now; nothing but now and then."""
        now = self._clock.monotonic()
        if now < self._next_look:
            return []
        self._next_look = now + LOOK_SECONDS
        parked = (await read_parked_rows(self._shard)).entries
        waiting = {name: entry for name, entry in parked.items() if self._is_ripe(entry)}
        self.troubles.keep(waiting)
        found = [await self._tried(name, entry) for name, entry in waiting.items()]
        return [order for order in found if order is not None]

    async def _tried(self, name: str, entry: Parked) -> ReissueOrder | RetryOrder | None:
        try:
            order = await self._order(name, entry)
        except EVERYBODYS:
            raise
        except Exception as error:
            self.troubles.note(name, error)
            return None
        self.troubles.forget(name)
        return order

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
        found = presence(held, without, row.value)
        if found is Presence.HELD:
            return RetryOrder(identifier=name, who=WHO, why="missed its cut-off, but Stripe's summary has it")
        if found is not Presence.ABSENT:
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
        if new == row:  # the grace or the anchor was mended since
            return RetryOrder(identifier=name, who=WHO, why="missed a cut-off that has moved: it can be sent as it is")
        if not self._may_bill(row.account, account.customer):
            log.warning("row %s missed its cut-off, and customer %s is disputed: left", name, account.customer)
            return None
        return ReissueOrder(
            old=name,
            parked_ms=entry.parked_ms,
            namespace=self._identity.namespace,
            row=new,
            planned_ms=self._clock.now_ms(),
            who=WHO,
            why="missed its period's cut-off",
        )
