"""What a log that retention has cut can't tell any more, and how long what was folded from it is kept.

A shard that is folded anew from a log whose head is gone misses what was counted, or claimed, in old buckets. Those
buckets are closed: their claims are believed as the push log tells them, and nothing more of them is ever planned. All
others must hold exactly what they held before, or units are billed twice.

Let U be the last moment at which anything was appended that the cut has taken. A log is cut from its head, so U is not
after the first record that is left; and every process verifies at its start that the log is kept for long enough, so U
is as long ago as that (what an operator deletes by hand is another matter). Two things follow, and what both ask for is
closed:

- A bucket that begins after U has lost no record, but for clocks: an event may be five minutes ahead of its append
  time, a broker's clock may have stepped back. So what begins up to `AHEAD_SECONDS` after U is closed. Here U is taken
  from the reader's clock: a log may have been idle for long. One that is ahead closes the past up to the first record
  at most.
- What is left is counted as it was, but for an identity of which the first record was cut: a later one is counted now.
  If that has the same time, as it must, its bucket is closed already. If its producer stamped it anew, it was a
  duplicate for as long as the identity was remembered, and would now be billed in a bucket of its own. So what begins
  up to `REMEMBERED_SECONDS` after U is closed. Here U is taken from the log's newest record: a clock that is ahead
  must not close the present, and one that is behind must not leave open what the log itself knows to be old.

How long something is kept goes by the time of its log, which is that of the last record folded: what a log that is
folded once more will count again is not removed before.
"""

from metering.bucket import hour_of
from metering.span import DAY_SECONDS

USAGE_KEPT_SECONDS = 70 * DAY_SECONDS
"""How long the usage log is kept, at least: two billing periods of 31 days, and the days an event may be late by."""

PUSHES_KEPT_SECONDS = 140 * DAY_SECONDS
"""How long the push log is kept, at least: twice as long, so that no bucket outlives what was claimed of it."""

AHEAD_SECONDS = 3600
"""By how much what was appended may concern a later bucket, clocks included: an event, or the row of a bucket."""

REMEMBERED_SECONDS = 35 * DAY_SECONDS
"""How long an identity is remembered, at least (`metering.dedupe`: the current block of 7 days and five before it)."""

UNITS_DAYS = 72
"""Days that units are kept after their own: the 70 that anybody may ask for, and two for clocks that do not agree."""

ACCEPTED_DAYS = 110
"""Days that accepted units are kept after the day they are stamped with.

Up to 35 days later a row may have it; 70 days later it is still shown, compared, and taken back by an order to park.
"""

WRITERS_SECONDS = 2 * DAY_SECONDS
"""How late a worker from before a refold may still append what it had planned, and then some."""

TOMBSTONE_SECONDS = 14 * DAY_SECONDS
"""How long a table's log keeps a record without a value (a tombstone), at least: `delete.retention.ms` of Kafka.

Compaction drops it later, and nothing is left to tell that the key ever was.
"""

VOUCHED_SECONDS = TOMBSTONE_SECONDS // 2
"""How long after a table was known to be complete its log tells for certain all that was removed since.

The other half is for clocks that do not agree, and for what takes its time between a look at a clock and a read.
"""


def told_from(cut_until: int) -> int:
    """The first hour that a usage log tells as it was counted, if all that it lost was appended by then (Unix s)."""
    return max(0, hour_of(cut_until + REMEMBERED_SECONDS) + 1)


def usage_closed_before(begins: int | None, newest: int, now: int) -> int:
    """The hour before which a cut usage log closes buckets.

    Args:
        begins: when its first record was appended; None if it has none.
        newest: the highest append time of its records; 0 if it has none.
        now: the time by the reader's clock. All three are Unix seconds.
    """
    by_the_clock, by_the_log = now - USAGE_KEPT_SECONDS, newest - USAGE_KEPT_SECONDS
    if begins is not None:
        by_the_clock, by_the_log = min(by_the_clock, begins), min(by_the_log, begins)
    return max(0, hour_of(by_the_clock + AHEAD_SECONDS) + 1, told_from(by_the_log))


def pushes_closed_before(now: int, kept_seconds: int = PUSHES_KEPT_SECONDS) -> int:
    """The hour before which a cut push log closes buckets; a row is appended once its bucket has begun."""
    return max(0, hour_of(now - kept_seconds + AHEAD_SECONDS) + 1)


def first_kept_day(append_ms: int, days: int) -> int:
    """The first day (its number since the epoch) that is kept for so many days more.

    Args:
        append_ms: how far the log is folded: the highest append time, Unix milliseconds.
        days: whole days after its own.
    """
    return append_ms // (1000 * DAY_SECONDS) - days


def needs_closed_claims(closed: int, append_ms: int) -> bool:
    """Whether a record of the push log may still be about a closed bucket: as long as it keeps such records.

    Args:
        closed: the hour before which the shard's buckets are closed.
        append_ms: the append time, Unix milliseconds, up to which the push log is folded.
    """
    return append_ms < (closed * 3600 + PUSHES_KEPT_SECONDS + WRITERS_SECONDS) * 1000
