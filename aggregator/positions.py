"""Where each partition's fold stands, and what it means when the log does not reach there."""

from dataclasses import dataclass


class LogLostError(Exception):
    """The log no longer holds what a shard must read next: counting on would silently miss usage. Stops the worker."""


@dataclass(frozen=True, slots=True)
class LogBounds:
    """A partition's earliest offset, its last stable offset, and how far Kafka was told that it is folded."""

    earliest: int
    end: int
    committed: int = 0


def check_fence(name: str, fence: int, bounds: LogBounds) -> None:
    """Refuses a fence outside the log.

    Args:
        name: the partition, as a person would look for it.
        fence: the offset the shard must read next.
        bounds: what the log holds.

    Raises:
        LogLostError: retention passed the fence by, or the topic was truncated or recreated.
    """
    if bounds.end < fence:
        raise LogLostError(
            f"{name} ends at offset {bounds.end}, but this shard has counted up to {fence}: the topic was truncated "
            "or recreated. If the new log is the right one, clear this shard's state and let it fold again."
        )
    if fence < bounds.earliest:
        raise LogLostError(
            f"{name} begins at offset {bounds.earliest}, but this shard must read {fence} next: retention deleted "
            f"{bounds.earliest - fence} offsets before they were counted. Restore them, or clear this shard's state "
            "and let it fold again from what is left."
        )
