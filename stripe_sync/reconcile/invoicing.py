"""Whether what Stripe has accepted is on an invoice: what a customer's subscriptions say of a minute. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger.accepted import Lane
from metering.span import MINUTE_SECONDS
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from stripe_sync.stripe_api.subscriptions import Subscribed


class Cause(StrEnum):
    """Why no open or final invoice has a unit; each is a metric's label, and never changes its name."""

    PAUSED = "paused"
    CANCELLED = "cancelled"
    NOT_BEGUN = "not_begun"
    NO_PRICE = "no_price"
    NO_SUBSCRIPTION = "no_subscription"


WORDS: Mapping[Cause, str] = {
    Cause.PAUSED: "the subscription, or its collection, is paused",
    Cause.CANCELLED: "the subscription had ended before",
    Cause.NOT_BEGUN: "the subscription had not begun",
    Cause.NO_PRICE: "the subscription has no price for the meter",
    Cause.NO_SUBSCRIPTION: "the customer has no subscription",
}
_FIRST = tuple(Cause)  # of several subscriptions that do not cover it, the cause that is mended most easily


@dataclass(frozen=True, slots=True, order=True)
class Uncovered:
    """Units that Stripe has accepted and that no invoice will have."""

    account: str
    meter: str
    customer: str
    cause: Cause
    units: int

    def finding(self, shard: int) -> Finding:
        """For `billing status`."""
        whose = f"{self.account} ({self.customer}), {self.meter}: {self.units} units"
        return Finding(Trouble.NOT_INVOICED, shard, {"units": self.units, "why": WORDS[self.cause]}, whose)


def cause_of(minute: int, meters: Collection[str], subscriptions: Sequence[Subscribed]) -> Cause | None:
    """Why units of a minute are on no invoice; None if they are on one.

    Args:
        minute: its first second, Unix.
        meters: the ids that the meter's name has, or had, at Stripe.
        subscriptions: all of the customer's, ended ones too.
    """
    if not subscriptions:
        return Cause.NO_SUBSCRIPTION
    priced = [each for each in subscriptions if each.meters.keys() & set(meters)]
    causes = {_cause(minute, meters, each) for each in priced or subscriptions}
    if None in causes:
        return None if priced else Cause.NO_PRICE
    return min((cause for cause in causes if cause is not None), key=_FIRST.index)


def _cause(minute: int, meters: Collection[str], each: Subscribed) -> Cause | None:
    if each.begins is None or minute + MINUTE_SECONDS <= each.begins:
        return Cause.NOT_BEGUN
    if each.ended is not None and minute >= each.ended:
        return Cause.CANCELLED
    period = max((start for meter, start in each.meters.items() if meter in meters), default=minute)
    return Cause.PAUSED if each.paused and each.ended is None and minute >= period else None


def uncovered(
    account: str, lane: Lane, minutes: Mapping[int, int], meters: Collection[str], subscriptions: Sequence[Subscribed]
) -> list[Uncovered]:
    """What of an account's accepted units (by minute) no invoice has, by cause."""
    found = Counter[Cause]()
    for minute, units in minutes.items():
        cause = cause_of(minute, meters, subscriptions)
        if cause is not None and units:
            found[cause] += units
    return [Uncovered(account, lane.meter, lane.customer, cause, units) for cause, units in sorted(found.items())]
