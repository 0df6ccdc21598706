"""What a log that retention has cut can't tell any more.

The usage log keeps 70 days, the push log 140. A shard that is folded anew from a log whose head is gone misses what
was counted, or claimed, in old buckets. Those buckets are closed: their claims are believed as the push log tells
them, and nothing more of them is ever planned.
"""

from metering.span import DAY_SECONDS

CLOSED_SECONDS = 35 * DAY_SECONDS
"""Age at which a bucket is closed by a refold: half the usage log's 70 days.

What the cut has taken was appended more than 70 days ago, for an event at most 5 minutes later; 34 days are how late
a repetition of it may still be appended.
"""


def closed_before(now: int) -> int:
    """The hour before which a shard's buckets are closed if it is opened at `now` (Unix seconds) on a cut log."""
    return max(0, (now - CLOSED_SECONDS) // 3600)
