"""A line of the list of what can be wrong: how bad it is, in words, and what mends it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter

DOCS = "docs/operations.md"


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
        section: the heading in docs/operations.md under which there is more.
        of_shards: False for what concerns all of the system, whoever has seen it.
    """

    severity: Severity
    says: str
    mend: str
    section: str
    of_shards: bool = True

    @property
    def link(self) -> str:
        """Where there is more, as Markdown's readers make anchors of headings."""
        return f"{DOCS}#{anchor(self.section)}"

    def params(self) -> set[str]:
        """The names in braces, but for the shard."""
        named = {name for text in (self.says, self.mend) for _, name, _, _ in Formatter().parse(text) if name}
        return named - {"shard", "shards"}


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def system_entry(severity: Severity, says: str, mend: str, section: str) -> TroubleEntry:
    """A line about what concerns all of the system."""
    return TroubleEntry(severity, says, mend, section, of_shards=False)
