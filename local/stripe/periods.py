"""Computes billing periods like Stripe: whole intervals from the anchor, the day clipped to the month's length.

This is written independently of the product's own calendar, so that a comparison of the two is a real test.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Interval = Literal["day", "week", "month", "year"]

_SECONDS = {"day": 86400, "week": 7 * 86400}
_MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class Cycle:
    """An anchor (Unix seconds) and the length of a period."""

    anchor: int
    interval: Interval
    count: int = 1

    def boundary(self, number: int) -> int:
        """Returns the start of period `number` (Unix seconds); number 0 starts at the anchor."""
        if self.interval in _SECONDS:
            return self.anchor + number * self.count * _SECONDS[self.interval]
        return _add_months(self.anchor, number * self.count * _MONTHS[self.interval])

    def period(self, at: int) -> tuple[int, int]:
        """Returns start and end of the period that contains `at`; the end belongs to the next period."""
        number = self._guess(at)
        while self.boundary(number) > at:
            number -= 1
        while self.boundary(number + 1) <= at:
            number += 1
        return self.boundary(number), self.boundary(number + 1)

    def _guess(self, at: int) -> int:
        """Returns an estimate of the period's number, at most one off, so that the search is short."""
        return (at - self.anchor) // (self.boundary(1) - self.anchor)


def _add_months(moment: int, months: int) -> int:
    start = datetime.fromtimestamp(moment, UTC)
    year, month_index = divmod(start.year * 12 + start.month - 1 + months, 12)
    month = month_index + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())
