"""What a shard has not billed yet."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from ledger.due import Quote
from metering.billing_time import sendable_until
from metering.bucket import effective_time
from metering.push_fold import InFlight, Parked
from metering.row import split_bucket_key


class DueState(StrEnum):
    """Why units are due."""

    BILLABLE = "billable"
    NO_CUSTOMER = "no_customer"
    DISPUTED = "disputed"
    """Their customer is claimed by another account as well."""
    HELD = "held"
    """Another row of their bucket or minute is unresolved."""
    NEVER = "never"
    """Before the subscription, or not begun: nobody waits for them."""


@dataclass(slots=True)
class Sweep:
    """Sums of one sweep. `cutoff` and `oldest` are Unix seconds; None for nothing that anybody waits for."""

    units: dict[DueState, int]
    cutoff: int | None = None
    oldest: int | None = None

    @classmethod
    def empty(cls) -> "Sweep":
        """Before anything was seen."""
        return cls(dict.fromkeys(DueState, 0))

    def see(self, quote: Quote, state: DueState, *, now: int, grace: int) -> None:
        """Takes a due bucket; what has missed its own period already has no cut-off to miss."""
        self.units[state] += quote.due
        if state is DueState.NEVER:
            return
        _, _, hour = split_bucket_key(quote.bucket)
        time = effective_time(hour, quote.account.subscription_start)
        until = sendable_until(time, quote.account.anchor, grace=grace)
        self.oldest = time if self.oldest is None else min(self.oldest, time)
        if until > now:
            self.cutoff = until if self.cutoff is None else min(self.cutoff, until)


@dataclass(frozen=True, slots=True)
class ShardReport:
    """How a shard stands: what its last sweep saw, and its unresolved rows."""

    sweep: Sweep
    in_flight: Collection[InFlight]
    parked: Collection[Parked]
