"""Billing periods as Stripe draws them: monthly from the anchor, the day clipped to the month's length."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from metering.account import Account
from metering.bucket import HOUR_SECONDS, hour_of


@dataclass(frozen=True, slots=True)
class Period:
    """`start` inclusive, `end` exclusive, Unix seconds."""

    start: int
    end: int

    def contains(self, time: int) -> bool:
        """True if the second lies in the period."""
        return self.start <= time < self.end


@lru_cache(maxsize=4096)  # few anchors and hours are asked for again and again, for every row
def period_containing(time: int, anchor: int | None) -> Period:
    """The billing period that a Unix second falls into.

    Args:
        time: Unix seconds.
        anchor: Stripe's billing cycle anchor (Unix seconds), or None for the UTC calendar month. Periods extend
            to both sides of it: usage may be older than the anchor.
    """
    moment = datetime.fromtimestamp(time, UTC)
    month = moment.year * 12 + moment.month - 1
    start = _boundary(month, anchor)
    if time < start:
        return Period(_boundary(month - 1, anchor), start)
    return Period(start, _boundary(month + 1, anchor))


def _boundary(month: int, anchor: int | None) -> int:
    """Where a period begins in the given month (year * 12 + month - 1): the anchor's day, clipped, at its time."""
    year, index = divmod(month, 12)
    if anchor is None:
        return int(datetime(year, index + 1, 1, tzinfo=UTC).timestamp())
    model = datetime.fromtimestamp(anchor, UTC)
    day = min(model.day, monthrange(year, index + 1)[1])
    return int(model.replace(year=year, month=index + 1, day=day).timestamp())


def hours_of(period: Period, account: Account | None) -> range:
    """The buckets whose effective time lies in the period, without those before the subscription.

    A bucket whose start lies in the period belongs to it: an anchor off the hour leaves the rest of that hour in
    the old period. The bucket that contains the account's opening counts from that second.

    Args:
        period: one of the account's.
        account: its facts; None for periods that nothing opens.
    """
    first, last = _first_hour_from(period.start), _first_hour_from(period.end)
    opening = account.opening if account else None
    if account is None or opening is None:
        return range(first, last)
    hour = hour_of(opening)
    if period.contains(opening):
        return range(hour if account.subscription_start is not None else min(first, hour), max(last, hour + 1))
    if account.subscription_start is not None:
        first = max(first, hour + 1)
    elif period.end == opening:
        last = hour
    return range(first, max(first, last))


def _first_hour_from(time: int) -> int:
    return -(-time // HOUR_SECONDS)
