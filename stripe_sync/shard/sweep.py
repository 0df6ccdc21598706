"""What a shard has not billed yet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ledger.due import Quote
from metering.billing_time import sendable_until
from metering.bucket import effective_time
from metering.push_fold import InFlight, Parked
from metering.row import split_bucket_key
from metering.troubles.finding import Finding

MOST_NAMED = 10  # accounts; the others are found once these are mended


class DueState(StrEnum):
    """Why units are due."""

    BILLABLE = "billable"
    DISPUTED = "disputed"
    """Their customer is claimed by another account as well."""
    HELD = "held"
    """Another row of their bucket or minute is unresolved."""
    NO_METER = "no_meter"
    """Stripe has no active meter for them."""
    UNPLANNABLE = "unplannable"
    """No row can be made of them, by a defect or by what a newer version has written."""
    NOT_BEGUN = "not_begun"
    """Stamped later than now: nobody waits for them yet."""


@dataclass(slots=True)
class Sweep:
    """Sums of one sweep. `cutoff` and `oldest` are Unix seconds; None for nothing that anybody waits for.

    `disputing` are some of the accounts whose units are disputed.
    `aside`: accounts with due buckets that no sweep comes to: they have no customer, or are before a subscription.
    """

    units: dict[DueState, int]
    cutoff: int | None = None
    oldest: int | None = None
    disputing: set[str] = field(default_factory=set)
    aside: int = 0

    @classmethod
    def empty(cls) -> "Sweep":
        """Before anything was seen."""
        return cls(dict.fromkeys(DueState, 0))

    def see(self, quote: Quote, state: DueState, *, now: int, grace: int) -> None:
        """Takes a due bucket; what has missed its own period already has no cut-off to miss."""
        self.units[state] += quote.due
        if state is DueState.NOT_BEGUN:
            return
        account, _, hour = split_bucket_key(quote.bucket)
        if state is DueState.DISPUTED and len(self.disputing) < MOST_NAMED:
            self.disputing.add(account)
        time = effective_time(hour, quote.account.opening)
        until = sendable_until(time, quote.account.anchor, grace=grace)
        self.oldest = time if self.oldest is None else min(self.oldest, time)
        if until > now:
            self.cutoff = until if self.cutoff is None else min(self.cutoff, until)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """How a shard stands: what its last sweep saw, its unresolved rows, and what ails single ones."""

    sweep: Sweep
    in_flight: Collection[InFlight]
    parked: Collection[Parked]
    troubles: Sequence[Finding] = ()
