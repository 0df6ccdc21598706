"""How a run of buckets is read from the two counters that are kept: whole days from day totals, the rest by hour."""

from dataclasses import dataclass
from datetime import UTC, datetime

DAY_HOURS = 24
MONTH_DAYS = 31  # of the longest: fields per meter in a month's hash
DAY_SECONDS = 86_400
MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class MonthDays:
    """Whole days of one UTC month: `month` as yyyymm, days of the month counted from 1, both inclusive."""

    month: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class DayHours:
    """Some hours of one UTC day: `day` is the day's number since the epoch, hours 0-23, both inclusive."""

    day: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Span:
    """A run of buckets as the reads that answer it."""

    days: tuple[MonthDays, ...]
    hours: tuple[DayHours, ...]


def span_of(hours: range) -> Span:
    """Splits consecutive buckets into whole days, grouped by month, and the hours before and after them."""
    if not hours:
        return Span((), ())
    first_day, last_day = -(-hours.start // DAY_HOURS), hours.stop // DAY_HOURS
    if first_day > last_day:  # inside one day
        return Span((), (DayHours(last_day, hours.start % DAY_HOURS, hours.stop % DAY_HOURS - 1),))
    edges = []
    if hours.start % DAY_HOURS:
        edges.append(DayHours(first_day - 1, hours.start % DAY_HOURS, DAY_HOURS - 1))
    if hours.stop % DAY_HOURS:
        edges.append(DayHours(last_day, 0, hours.stop % DAY_HOURS - 1))
    return Span(tuple(_by_month(first_day, last_day)), tuple(edges))


def months_of(span: Span) -> list[str]:
    """The UTC months (yyyymm) that a span lies in, in order."""
    edges = (month_and_day(hours.day)[0] for hours in span.hours)
    return sorted({*(days.month for days in span.days), *edges})


def _by_month(first_day: int, end_day: int) -> list[MonthDays]:
    months: dict[str, list[int]] = {}
    for day in range(first_day, end_day):
        month, number = month_and_day(day)
        months.setdefault(month, []).append(number)
    return [MonthDays(month, numbers[0], numbers[-1]) for month, numbers in months.items()]


def month_and_day(day: int) -> tuple[str, int]:
    """A day number as (yyyymm, day of the month)."""
    moment = datetime.fromtimestamp(day * DAY_SECONDS, UTC)
    return moment.strftime("%Y%m"), moment.day
