"""Why a shard stops while others go on: what its log holds next may not be passed without a person."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self


class StopReason(StrEnum):
    """The reasons; each is a metric's label and a word of `billing status`, and never changes its name."""

    UNREADABLE_BATCH = "unreadable_batch"
    """A batch can't be read at all: its codec is unknown, it is damaged, or it unpacks to more than is allowed."""
    REJECTS = "rejects"
    """Nearly everything is rejected: going on would only drain the log into the dead letters."""
    APPENDED_AHEAD = "appended_ahead"
    """The next record was appended later than it can be by the reader's clock: one of the two clocks is wrong."""
    LOG_LOST = "log_lost"
    """The log no longer holds what must be read next, or not the records that were folded."""
    UNSAFE_SERVER = "unsafe_server"
    """Redis throws keys away by itself, or has done so: what the shard holds may be less than what was counted."""


class ShardStoppedError(Exception):
    """The log can't be folded on from here. Stops this log of this shard alone, and is tried again from time to time.

    `offset` is the first that was not folded; `end` is the offset after what is in the way, None where that is not
    known. The message names topic, partition and offset, and says what to do.
    """

    def __init__(self, reason: StopReason, offset: int, message: str, *, end: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.offset = offset
        self.end = end


@dataclass(frozen=True, slots=True)
class Stop:
    """A log that is stopped, as it is kept beside its fence.

    Attributes:
        reason: a `StopReason`, or what a newer version calls one.
        offset: the fence: the first offset that was not folded.
        end: the offset after what is in the way; None where that is not known.
        message: what a person should know and do.
        since_ms: when it stopped, Unix milliseconds.
    """

    reason: str
    offset: int
    end: int | None
    message: str
    since_ms: int

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """From what `to_json` gave."""
        said = json.loads(text)
        return cls(said["reason"], said["offset"], said["end"], said["message"], said["since_ms"])

    def to_json(self) -> bytes:
        """For the state."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    def stands_at(self, fence: int | None) -> bool:
        """Whether it still holds: nobody has moved the fence since. A log may stop before it has one."""
        return fence is None or fence == self.offset
