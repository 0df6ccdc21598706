"""Waiting for a condition, never longer than a deadline."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll `condition` until it holds or `timeout` seconds have passed; say whether it came to hold.

    The condition is asked at least once, and once more at the deadline. What it raises is not caught.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() >= deadline
        if condition():
            return True
        if late:
            return False
        time.sleep(POLL_SECONDS)
