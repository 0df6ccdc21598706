"""How long to wait before a service that ended is started again."""

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0
STEADY_SECONDS = 10.0  # who ran for so long is well: its next end is a new one


def next_delay(previous: float | None, ran_seconds: float) -> float:
    """Seconds to wait, doubling with every quick end.

    Args:
        previous: what was waited before the run that has just ended; None for the first run.
        ran_seconds: how long that run lasted.
    """
    if previous is None or ran_seconds >= STEADY_SECONDS:
        return FIRST_SECONDS
    return min(previous * 2, LONGEST_SECONDS)
