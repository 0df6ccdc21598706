"""Where each partition's fold stands, and what it means when the log is not the one that was folded up to there."""

from dataclasses import dataclass

from metering.counting import LogRecord, Mark, mark_of
from metering.rfc3339 import from_unix
from metering.stop import ShardStoppedError, StopReason


@dataclass(frozen=True, slots=True)
class LogBounds:
    """A partition's earliest offset, its last stable offset, and how far Kafka was told that it is folded."""

    earliest: int
    end: int
    committed: int = 0


def check_fence(topic: str, shard: int, fence: int, bounds: LogBounds) -> None:
    """Refuses a fence outside the log.

    Args:
        topic: the log.
        shard: the shard, and so the partition.
        fence: the offset the shard must read next.
        bounds: what the log holds.

    Raises:
        ShardStoppedError: retention passed the fence by, or the topic was truncated or recreated: counting on would
            silently miss usage.
    """
    if bounds.end < fence:
        raise ShardStoppedError(
            StopReason.LOG_LOST,
            fence,
            f"{topic}-{shard} ends at offset {bounds.end}, but this shard has folded up to {fence}: "
            f"the topic was truncated or recreated. {_what_to_do(shard)}",
        )
    if fence < bounds.earliest:
        raise ShardStoppedError(
            StopReason.LOG_LOST,
            fence,
            f"{topic}-{shard} begins at offset {bounds.earliest}, but this shard must read {fence} next: retention "
            f"deleted {bounds.earliest - fence} offsets before they were folded. {_what_to_do(shard)}",
        )


def mark_to_compare(last: Mark | None, bounds: LogBounds) -> Mark | None:
    """The mark, if the log may still hold its record: retention may have deleted what lies below a fence."""
    return last if last is not None and last.offset >= bounds.earliest else None


def check_mark(topic: str, shard: int, last: Mark, found: LogRecord | None, *, compacted: bool) -> None:
    """Refuses a log whose record at a mark's offset is not the one that was folded.

    Args:
        topic: the log.
        shard: the shard, and so the partition.
        last: the mark of the last record that was folded.
        found: the first record from the mark's offset on; None if there is none up to the next position.
        compacted: whether the log is a table's: compaction may have removed the record, nothing can be compared then.

    Raises:
        ShardStoppedError: the topic was truncated or recreated, and has grown beyond the fence since.
    """
    if found is not None and found.offset == last.offset:
        if mark_of(found) == last:
            return
        seen = f"another record, of {_time(found.timestamp)}"
    elif compacted:
        return
    else:
        seen = "no record"
    raise ShardStoppedError(
        StopReason.LOG_LOST,
        last.offset + 1,
        f"{topic}-{shard} has {seen} at offset {last.offset}, where this shard has folded one of "
        f"{_time(last.append_ms)}: the topic was truncated or recreated. {_what_to_do(shard)}",
    )


def _what_to_do(shard: int) -> str:
    return (
        "Restore it; or, if what it holds now is all that there is, let the shard fold again from that: "
        f"`billing rebuild --shard {shard}` (docs/operating/lost-logs.md)"
    )


def _time(unix_ms: int) -> str:
    return from_unix(unix_ms // 1000)
