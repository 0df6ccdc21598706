"""Append times that can't be: a record that was appended later than it is now, by the clock of whoever reads it.

All that follows such a record is judged by its append time: one that a broker stamped 60 days ahead would make the
usage of weeks too old to be counted. So it is not counted before it is known which of the two clocks is wrong.
"""

from metering.counting import Interval, LogRecord
from metering.rfc3339 import LAST_SECOND, from_unix

MAX_AHEAD_MS = 3600 * 1000
"""Milliseconds that a record may seem to come from the future: clocks differ, but within a data centre by seconds."""


def split_ahead(interval: Interval, now_ms: int) -> tuple[Interval, LogRecord] | None:
    """The first record that was appended too far ahead of `now_ms` (Unix milliseconds), and what lies before it."""
    for place, record in enumerate(interval.records):
        if record.timestamp > now_ms + MAX_AHEAD_MS:
            return Interval(interval.start, record.offset, interval.records[:place]), record
    return None


def ahead_message(log: str, record: LogRecord, now_ms: int) -> str:
    """What to tell of such a record of a log (topic and partition)."""
    hours, partition = (record.timestamp - now_ms) / 3_600_000, log.rpartition("-")[2]
    return (
        f"{log}: the record at offset {record.offset} was appended at {_time(record.timestamp)}, which is {hours:.1f} "
        f"hours after now by this machine's clock, {_time(now_ms)}: compare both clocks with a third one. If this "
        "machine's is behind, set it right. If the broker's was ahead, set that right, or more such records follow. "
        f"Counting goes on by itself once it is {_time(record.timestamp - MAX_AHEAD_MS)} here, or at once if "
        f"`billing quarantine {partition} {record.offset} --why ...` passes it by (docs/operating/clocks.md)"
    )


def _time(unix_ms: int) -> str:
    return from_unix(min(max(unix_ms, 0) // 1000, LAST_SECOND))
