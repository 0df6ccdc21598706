"""What a fold script says of a batch."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The fate of a batch; the fence decides, so that ownership needs no lock."""

    APPLIED = "APPLIED"
    STALE = "STALE"
    """The shard is past the batch's start: someone else applied it, or it was delivered again."""
    GAP = "GAP"
    """The shard is behind the batch's start: Redis lost state, or a failover went back in time."""
    EMPTY = "EMPTY"
    """The shard has no fence for this log yet."""
    UNSAFE = "UNSAFE"
    """The server throws keys away, or has done so: opening the shard says more (`ledger.state.open_shard`)."""
    OUTDATED = "OUTDATED"
    """The records were read so late that some of what was removed may be missing among them: open the table again."""
    WAIT = "WAIT"
    """A prepared record is ahead of the shard's own count, or of what is closed: fold the usage log first."""
    DIVERGED = "DIVERGED"
    """A row claims more than was counted: the two logs do not belong together."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`fence` is where the shard stands now; None for an empty shard. `value` is the script's own result."""

    verdict: Verdict
    fence: int | None
    value: int = 0

    @property
    def applied(self) -> bool:
        """True if the batch took effect by this very call."""
        return self.verdict is Verdict.APPLIED


def read_answer(reply: list[bytes | int]) -> Answer:
    """An answer from a script's reply: verdict, fence, and for APPLIED the script's own result."""
    verdict, fence, *rest = reply
    text = verdict.decode() if isinstance(verdict, bytes) else str(verdict)
    return Answer(Verdict(text), int(fence) if fence != b"" else None, int(rest[0]) if rest else 0)
