"""How a run of buckets is read: whole days from day totals, the rest by hour."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.span import DAY_HOURS, DayHours, MonthDays, Span, month_and_day, span_of

JUNE_20 = date(2026, 6, 20).toordinal() - date(1970, 1, 1).toordinal()


def hours_in(span: Span) -> list[int]:
    """Every bucket that a span reads, as often as it reads it."""
    hours = []
    for days in span.days:
        year, month = int(days.month[:4]), int(days.month[4:])
        for number in range(days.first, days.last + 1):
            midnight = int(datetime(year, month, number, tzinfo=UTC).timestamp()) // 3600
            hours += range(midnight, midnight + DAY_HOURS)
    for edge in span.hours:
        hours += range(edge.day * DAY_HOURS + edge.first, edge.day * DAY_HOURS + edge.last + 1)
    return sorted(hours)


def at(day: int, hour: int) -> int:
    """An hour of a June 2026 day."""
    return (JUNE_20 - 20 + day) * DAY_HOURS + hour


SPANS = [
    (range(at(20, 0), at(21, 0)), Span((MonthDays("202606", 20, 20),), ())),
    (range(at(20, 3), at(20, 5)), Span((), (DayHours(JUNE_20, 3, 4),))),
    (range(at(20, 0), at(20, 1)), Span((), (DayHours(JUNE_20, 0, 0),))),
    (range(at(20, 23), at(21, 0)), Span((), (DayHours(JUNE_20, 23, 23),))),
    (range(at(20, 23), at(21, 1)), Span((), (DayHours(JUNE_20, 23, 23), DayHours(JUNE_20 + 1, 0, 0)))),
    (
        range(at(19, 10), at(22, 2)),
        Span((MonthDays("202606", 20, 21),), (DayHours(JUNE_20 - 1, 10, 23), DayHours(JUNE_20 + 2, 0, 1))),
    ),
    (range(at(29, 0), at(33, 0)), Span((MonthDays("202606", 29, 30), MonthDays("202607", 1, 2)), ())),
    (range(5, 5), Span((), ())),
    (range(9, 5), Span((), ())),
]


@pytest.mark.parametrize(("hours", "span"), SPANS, ids=lambda value: str(value)[:40])
def test_whole_days_are_read_from_day_totals_and_the_rest_by_hour(hours, span) -> None:
    """Grouped by month, because a month's totals are one hash."""
    assert span_of(hours) == span


@given(st.integers(0, 600_000), st.integers(0, 80 * DAY_HOURS))
def test_a_span_covers_exactly_the_hours_of_the_range(start, length) -> None:
    """Each once, none besides, over months and years; and never more hashes than a period needs."""
    span = span_of(range(start, start + length))

    assert hours_in(span) == list(range(start, start + length))
    assert len(span.days) <= 4
    assert len(span.hours) <= 2


@given(st.integers(0, 40_000))
def test_a_day_number_is_a_day_of_the_calendar(day) -> None:
    """`month` sorts as text."""
    month, number = month_and_day(day)
    calendar = date.fromordinal(date(1970, 1, 1).toordinal() + day)

    assert (month, number) == (f"{calendar.year}{calendar.month:02}", calendar.day)
