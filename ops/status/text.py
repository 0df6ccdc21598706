"""The screen: the verdict, then only what is wrong, then what is good to know; no line is wider than it."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from metering.troubles.entry import Severity
from metering.troubles.finding import Group, grouped, needs_a_person
from ops.console.safe_text import visible
from ops.status.matrix import matrix
from ops.status.report import ShardPhase
from ops.status.system import System, findings

WIDTH = 80  # in a pipe, and of a terminal that does not say
MOST_WIDE = 100  # longer lines are hard to read
MOST_DETAILS = 3  # of a trouble; --json has them all
_STYLES = {
    Severity.STOPPED: "bold red",
    Severity.WAITING: "bold yellow",
    Severity.SOON: "yellow",
    Severity.NOTE: "dim",
}
_COUNTS = {
    Severity.STOPPED: ("stops something", "stop something"),
    Severity.WAITING: ("makes usage wait", "make usage wait"),
    Severity.SOON: ("will if nobody acts", "will if nobody acts"),
}


@dataclass(frozen=True, slots=True)
class Screen:
    """How it is shown. `every_shard`: the matrix of shards below."""

    width: int = WIDTH
    every_shard: bool = False

    @classmethod
    def here(cls, *, every_shard: bool) -> "Screen":
        """As wide as the terminal, within reason."""
        wide = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
        return cls(max(40, min(wide, MOST_WIDE)), every_shard)

    def lines(self, system: System) -> list[str]:
        """All of it, in plain text."""
        return [line for line, _ in self._styled(system)]

    def drawn(self, system: System) -> Text:
        """All of it, in colours."""
        return Text("\n", overflow="fold").join(Text(line, style) for line, style in self._styled(system))

    def _styled(self, system: System) -> Iterator[tuple[str, str]]:
        found = findings(system)
        bad = needs_a_person(found)
        for line in self._wrapped("", verdict(system, grouped(found))):
            yield line, "bold red" if bad else "bold green"
        for group in grouped(found):
            yield from self._entry(group)
        if self.every_shard and system.reports:
            yield "", ""
            yield from ((line, "") for line in matrix(system.reports, self.width))

    def _entry(self, group: Group) -> Iterator[tuple[str, str]]:
        head = f"{group.severity.upper():<9}"
        yield "", ""
        for line in self._wrapped(head, group.sentence):
            yield line, _STYLES[group.severity]
        details = group.details[:MOST_DETAILS]
        more = len(group.details) - len(details)
        for detail in (*details, *([f"and {more} more: billing status --json"] if more else [])):
            yield from ((line, "") for line in self._wrapped("", detail, 9))
        yield from ((line, "cyan") for line in self._wrapped("   mend: ", group.mend))
        yield f"   more: {group.entry.link}", "dim"

    def _wrapped(self, head: str, text: str, indent: int = 0) -> list[str]:
        """The text behind its head, on as many lines as it takes; only a word that is wider than a line is cut."""
        room = " " * (len(head) or indent)
        return textwrap.wrap(
            visible(text), self.width, initial_indent=head or room, subsequent_indent=room, break_on_hyphens=False
        )


def verdict(system: System, groups: Sequence[Group]) -> str:
    """One sentence: whether anything needs a person, and how many shards are ready."""
    ready = sum(report.phase is ShardPhase.READY for report in system.reports)
    shards = f"{ready} of {len(system.reports)} shards are ready" if system.reports else "no shard was seen"
    if not any(group.severity is not Severity.NOTE for group in groups):
        return f"nothing needs a person; {shards}"
    parts = []
    for severity, (one, several) in _COUNTS.items():
        if count := sum(group.severity is severity for group in groups):
            parts.append(f"{count} {one if count == 1 else several}")
    return f"this needs a person: {', '.join(parts)}; {shards}"
