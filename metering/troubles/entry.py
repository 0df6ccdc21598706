"""A line of the list of what can be wrong: how bad it is, in words, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum
from string import Formatter

DOCS = "docs/operating"


class Severity(StrEnum):
    """How bad it is, from the worst on."""

    STOPPED = "stopped"
    """Something is not counted, not shown or not billed until somebody has mended it."""
    WAITING = "waiting"
    """Usage waits, or is missing somewhere, while all else goes on."""
    SOON = "soon"
    """It will be one of those unless somebody acts."""
    NOTE = "note"
    """Nobody has to do anything: it is said so that nobody looks for it."""


SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True)
class TroubleEntry:
    """A line of the list. Names in braces stand for what differs from case to case.

    Attributes:
        severity: how bad it is.
        says: what is so; it follows "shards 3, 4: " where it is some shards'.
        mend: the command, or what else to do.
        more: the page of docs/operating that says more, with an anchor where it is a part of the page.
        of_shards: False for what concerns all of the system, whoever has seen it.
    """

    severity: Severity
    says: str
    mend: str
    more: str
    of_shards: bool = True

    @property
    def link(self) -> str:
        """Where there is more, from the repository's root on."""
        return f"{DOCS}/{self.more}"

    def params(self) -> set[str]:
        """The names in braces, but for the shard."""
        named = {name for text in (self.says, self.mend) for _, name, _, _ in Formatter().parse(text) if name}
        return named - {"shard", "shards"}


def system_entry(severity: Severity, says: str, mend: str, more: str) -> TroubleEntry:
    """A line about what concerns all of the system."""
    return TroubleEntry(severity, says, mend, more, of_shards=False)
