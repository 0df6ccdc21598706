"""Midnight, UTC: the time at which days, months and most billing periods change."""

import time
from collections.abc import Callable

from metering.span import DAY_SECONDS
from tests.support.eventually import eventually


def clear_of_midnight(seconds: float, now: Callable[[], float] = time.time) -> None:
    """Returns at once; if midnight comes within these seconds, only after it, on the new day."""
    eventually(lambda: -now() % DAY_SECONDS >= seconds, deadline=seconds + 5, what="a day that goes on")
