"""Staying clear of midnight."""

from metering.span import DAY_SECONDS
from tests.support.midnight import clear_of_midnight


def test_a_day_that_goes_on_is_not_waited_for() -> None:
    """One look is enough."""
    looks = iter([7 * DAY_SECONDS - 30.0])
    clear_of_midnight(30, lambda: next(looks))


def test_a_day_that_ends_soon_is_waited_out() -> None:
    """To its last moment, and to the first one of the next."""
    looks = iter([7 * DAY_SECONDS - 29.9, 7 * DAY_SECONDS - 0.1, 7 * DAY_SECONDS, 7 * DAY_SECONDS + 0.1])
    clear_of_midnight(30, lambda: next(looks))
    assert next(looks, None) is None
