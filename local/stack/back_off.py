"""The delay before the supervisor starts a service again."""

FIRST_SECONDS = 0.2  # seconds
LONGEST_SECONDS = 5.0  # seconds
STEADY_SECONDS = 10.0  # seconds: after such a run the delay begins anew


def next_delay(previous: float | None, ran_seconds: float) -> float:
    """Returns the seconds to wait; the delay doubles with every short run.

    Args:
        previous: the delay before the run that has just ended, seconds; None for the first run.
        ran_seconds: the length of that run, seconds.
    """
    if previous is None or ran_seconds >= STEADY_SECONDS:
        return FIRST_SECONDS
    return min(previous * 2, LONGEST_SECONDS)
