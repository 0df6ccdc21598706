"""Waiting for a condition, never longer than a deadline."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.05  # seconds between two polls


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Polls `condition` until it holds or `timeout` seconds have passed. Returns whether it holds.

    The condition is asked at least once, and once more at the deadline. Its exceptions are not caught.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() >= deadline
        if condition():
            return True
        if late:
            return False
        time.sleep(POLL_SECONDS)
