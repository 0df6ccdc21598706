"""Records from the future: where they begin, and what is said of them."""

import pytest

from metering.append_time import MAX_AHEAD_MS, ahead_message, split_ahead
from metering.counting import Interval
from tests.metering.events import NOON_MS, Record

LIMIT = NOON_MS + MAX_AHEAD_MS


def records(*times: int) -> list[Record]:
    """From offset 5 on; every other offset is none of a record."""
    return [Record(5 + 2 * n, b"", time) for n, time in enumerate(times)]


@pytest.mark.parametrize("times", [(), (NOON_MS,), (0, LIMIT, NOON_MS)])
def test_clocks_may_differ_by_an_hour(times: tuple[int, ...]) -> None:
    """By then somebody must look."""
    assert split_ahead(Interval(4, 20, records(*times)), NOON_MS) is None


@pytest.mark.parametrize(
    ("times", "offset", "before"),
    [((LIMIT + 1,), 5, 0), ((1, 2, LIMIT + 1), 9, 2), ((1, LIMIT + 1, 1, LIMIT + 9), 7, 1)],
)
def test_the_first_record_from_the_future_ends_what_is_before_it(times, offset, before) -> None:
    """However late what follows it was appended."""
    interval = Interval(4, 20, records(*times))

    found = split_ahead(interval, NOON_MS)

    assert found is not None
    assert found == (Interval(4, offset, interval.records[:before]), interval.records[before])


def test_both_times_are_said_and_when_it_goes_on() -> None:
    """Whose clock is wrong can't be known here."""
    said = ahead_message("usage.events-3", Record(7, b"", NOON_MS + 36 * 3_600_000), NOON_MS)

    for part in ("usage.events-3", "offset 7", "2026-06-22T00:00:00Z", "36.0 hours", "2026-06-20T12:00:00Z"):
        assert part in said
    assert "by itself once it is 2026-06-21T23:00:00Z here" in said


def test_a_time_that_no_calendar_has_can_be_said() -> None:
    """A broker may stamp anything."""
    assert "9999-12-31T23:59:59Z" in ahead_message("usage.events-3", Record(7, b"", 2**62), NOON_MS)
