"""The ranges of time (slots) to ask a shard for: days or periods, with usage before the subscription kept apart."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.history import History, Units
from metering.account import Account
from metering.bucket import hour_of
from metering.period import Period, hours_of, period_containing
from metering.span import DAY_HOURS, DAY_SECONDS, Span, span_of

KEPT_DAYS = 70  # days: units are kept as long as the usage log


@dataclass(frozen=True, slots=True)
class Slots:
    """Slots in the order of time, without gaps.

    `spans`: first the spans of all slots, then their spans before the subscription. `cuts` (Unix seconds): the limits
    between the slots, with the first start and the last end.
    """

    spans: tuple[Span, ...]
    cuts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SlotUnits:
    """A slot's units: billable, before the subscription, and accepted by Stripe (None: not known)."""

    total: Units
    before_subscription: Units
    accepted: Units | None
    carried: Units | None


def earliest_day(now: int) -> int:
    """Returns the first day (number since the epoch) whose units are all kept."""
    return -(-(now - KEPT_DAYS * DAY_SECONDS) // DAY_SECONDS)


def shown_periods(now: int, anchor: int | None) -> list[Period]:
    """Returns the current period, then the earlier ones whose units are all kept, latest first."""
    periods = [period_containing(now, anchor)]
    while True:
        period = period_containing(periods[-1].start - 1, anchor)
        if period.start < now - KEPT_DAYS * DAY_SECONDS:
            return periods
        periods.append(period)


def day_slots(first: int, last: int, account: Account) -> Slots:
    """Returns a slot per UTC day, both ends included."""
    days = range(first, last + 1)
    hours = [range(day * DAY_HOURS, (day + 1) * DAY_HOURS) for day in days]
    counted = [_from(each, account.subscription_start) for each in hours]
    return _slots(hours, counted, [day * DAY_SECONDS for day in range(first, last + 2)], account)


def period_slots(periods: Sequence[Period], account: Account) -> Slots:
    """Returns a slot per period, earliest first. `periods` may be in any order, but without gaps."""
    ordered = sorted(periods, key=lambda period: period.start)
    hours = [hours_of(period, account if account.subscription_start is None else None) for period in ordered]
    counted = [hours_of(period, account) for period in ordered]
    return _slots(hours, counted, [*(period.start for period in ordered), ordered[-1].end], account)


def slot_units(history: History) -> list[SlotUnits]:
    """Returns the units of the slots."""
    count = len(history.units) // 2
    return [
        SlotUnits(
            total=history.units[slot],
            before_subscription=history.units[count + slot],
            accepted=None if history.accepted is None else history.accepted[slot],
            carried=None if history.carried is None else history.carried[slot],
        )
        for slot in range(count)
    ]


def _slots(hours: Sequence[range], counted: Sequence[range], cuts: Sequence[int], account: Account) -> Slots:
    before = [_until(each, account.subscription_start) for each in hours]
    return Slots(tuple(span_of(each) for each in (*counted, *before)), tuple(cuts))


def _from(hours: range, start: int | None) -> range:
    """Returns the buckets that did not end before the subscription began."""
    first = hours.start if start is None else min(max(hours.start, hour_of(start)), hours.stop)
    return range(first, hours.stop)


def _until(hours: range, start: int | None) -> range:
    """Returns the buckets that ended before the subscription began."""
    last = hours.start if start is None else max(min(hours.stop, hour_of(start)), hours.start)
    return range(hours.start, last)
