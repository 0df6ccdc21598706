"""When a bucket may be billed, and at which timestamp Stripe is told of it."""

from dataclasses import dataclass
from enum import StrEnum

from metering.account import Account
from metering.bucket import before_subscription, effective_time
from metering.period import period_containing
from metering.span import DAY_SECONDS

OLDEST_SECONDS = 34 * DAY_SECONDS  # Stripe takes a timestamp of 35 days ago; one is left for delivery
CUTOFF_MARGIN_SECONDS = 15 * 60  # before Stripe finalises: a row on its way must still arrive


class Wait(StrEnum):
    """Why a bucket that is due is not planned now."""

    NO_CUSTOMER = "no_customer"
    NOT_BEGUN = "not_begun"
    BEFORE_SUBSCRIPTION = "before_subscription"
    """For ever: counted and shown, never billed."""


BY_RECORD_ALONE = frozenset({Wait.NO_CUSTOMER, Wait.BEFORE_SUBSCRIPTION})
"""What only another record of the account can change, and no time that passes."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The timestamp (Unix seconds) that a row gets. `carried`: its own period could no longer be billed."""

    timestamp: int
    carried: bool


def stamp(hour: int, account: Account, *, now: int, grace: int) -> Stamp | Wait:
    """Decides a bucket's timestamp at planning.

    Args:
        hour: the bucket.
        account: its account's facts.
        now: Unix seconds.
        grace: Stripe's finalisation grace after a period's end, in seconds.
    """
    if account.customer is None:
        return Wait.NO_CUSTOMER
    if before_subscription(hour, account.subscription_start):
        return Wait.BEFORE_SUBSCRIPTION
    time = effective_time(hour, account.opening)
    if time > now:
        return Wait.NOT_BEGUN
    if now < sendable_until(time, account.anchor, grace=grace):
        return Stamp(time, carried=False)
    current = period_containing(now, account.anchor)
    return Stamp(max(current.start, account.subscription_start or 0), carried=True)


def sendable_until(timestamp: int, anchor: int | None, *, grace: int) -> int:
    """The second from which a row with this timestamp may not be sent any more.

    Usage that arrives after its invoice was finalised is never billed (Stripe), nor is what is too old.
    """
    period = period_containing(timestamp, anchor)
    return min(period.end + grace - CUTOFF_MARGIN_SECONDS, timestamp + OLDEST_SECONDS)
