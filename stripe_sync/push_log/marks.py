"""Whether a push log is the one that was folded: what its end, its beginning and its last folded record tell."""

from metering.counting import Mark
from stripe_sync.errors import PushLogLostError
from stripe_sync.push_log.log import PushLogBounds, Read

_WHAT_TO_DO = "Restore it; without it, what Stripe was told is unknown (docs/operating/lost-logs.md)"


def check_fence(name: str, fence: int, bounds: PushLogBounds) -> None:
    """Refuses a fence outside the log; `name` is its topic and partition.

    Raises:
        PushLogLostError: the log was cut, truncated or recreated.
    """
    if fence > bounds.stable:
        raise PushLogLostError(
            bounds.stable,
            f"{name}: the push log ends at {bounds.stable}, but {fence} was folded: the topic was truncated or "
            f"recreated. {_WHAT_TO_DO}",
        )
    if fence < bounds.earliest:
        raise PushLogLostError(
            fence,
            f"{name}: the push log begins at {bounds.earliest}, but {fence} must be folded next: records were deleted. "
            f"{_WHAT_TO_DO}",
        )


def recognises(name: str, mark: Mark, found: Read) -> bool:
    """Whether a log that was read from a mark on has that record in its place; False if nothing could be read now.

    Raises:
        PushLogLostError: another one is there, or none.
    """
    if not found.entries and found.next <= mark.offset:
        return False
    if not found.entries or found.entries[0].mark != mark:
        raise PushLogLostError(
            mark.offset,
            f"{name}: the push log's record {mark.offset} is another than the one that was folded: it has lost "
            f"records, or the topic was recreated. {_WHAT_TO_DO}",
        )
    return True


def check_appended(name: str, offset: int, known_end: int) -> None:
    """Refuses a new record's offset where another record was before.

    Raises:
        PushLogLostError: acknowledged records are gone.
    """
    if 0 <= offset < known_end:
        raise PushLogLostError(
            offset,
            f"{name}: the push log gave a new record the offset {offset}, though it had reached {known_end}: "
            f"acknowledged records are lost. {_WHAT_TO_DO}",
        )
