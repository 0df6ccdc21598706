"""What is shown of a status: tables for a terminal, columns for a pipe, JSON for programs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from metering.rfc3339 import from_unix
from ops.shard_report import ShardPhase, ShardReport, concerns
from ops.table_text import columns


@dataclass(frozen=True, slots=True)
class Status:
    """All shards that were asked for. `dead_letters`: open ones by reason, None where they were not read."""

    reports: tuple[ShardReport, ...]
    dead_letters: Mapping[str, int] | None
    truncated: bool

    @property
    def concerns(self) -> list[tuple[int, str]]:
        """What needs a person, by shard."""
        return [(report.shard, concern) for report in self.reports for concern in concerns(report)]


_SUMMED: dict[str, Callable[[ShardReport], int]] = {
    "LAG": lambda report: report.usage.lag,
    "READ": lambda report: report.records.read,
    "COUNTED": lambda report: report.records.counted,
    "DUPLICATE": lambda report: report.records.duplicate,
    "DEAD": lambda report: report.records.dead,
    "RE-ROUTED": lambda report: report.records.rerouted,
    "DUE": lambda report: report.due,
    "NO CUSTOMER": lambda report: report.no_customer,
    "NEVER BILLED": lambda report: report.never_billed,
    "IN FLIGHT": lambda report: report.in_flight,
    "PARKED": lambda report: sum((report.parked or {}).values()),
    "PUSH LAG": lambda report: report.pushes.lag,
}
_HEADING = ("SHARD", "STATE", "FENCE", "AS OF", "WAITS S", *_SUMMED)


def plain_lines(status: Status) -> list[str]:
    """Columns, then what there is to say."""
    rows = [_HEADING, *map(_cells, status.reports), _totals(status.reports)]
    return [*columns(rows), *_notes(status), *_sentences(status)]


def rich_tables(status: Status) -> RenderableType:
    """The same for a terminal."""
    table = Table(show_footer=True)
    for name, footer in zip(_HEADING, _totals(status.reports), strict=True):
        table.add_column(name, footer=footer, justify="right" if name in _SUMMED else "left")
    for report in status.reports:
        bad = bool(concerns(report))
        table.add_row(*_cells(report), style="red" if bad else "" if report.phase is ShardPhase.READY else "yellow")
    notes = [Text(note) for note in _notes(status)]
    return Group(
        table, *notes, *(Text(text, "bold red" if status.concerns else "green") for text in _sentences(status))
    )


def as_json(status: Status) -> dict[str, Any]:
    """Everything, times in Unix milliseconds."""
    return {
        "shards": [
            asdict(report)
            | {"lag": report.usage.lag, "lag_seconds": report.lag_seconds, "push_lag": report.pushes.lag}
            | {"concerns": concerns(report)}
            for report in status.reports
        ],
        "totals": {name.lower().replace(" ", "_").replace("-", ""): _sum(status.reports, name) for name in _SUMMED},
        "parked": dict(_parked(status.reports)),
        "dead_letters": None if status.dead_letters is None else dict(status.dead_letters),
        "dead_letters_truncated": status.truncated,
        "needs_a_person": bool(status.concerns),
    }


def _cells(report: ShardReport) -> tuple[str, ...]:
    return (
        str(report.shard),
        report.phase.value,
        "-" if report.usage.fence is None else str(report.usage.fence),
        "-" if report.as_of_ms is None else from_unix(report.as_of_ms // 1000),
        f"{report.lag_seconds:.0f}",
        *(str(number(report)) for number in _SUMMED.values()),
    )


def _totals(reports: Sequence[ShardReport]) -> tuple[str, ...]:
    ready = sum(report.phase is ShardPhase.READY for report in reports)
    oldest = min((report.as_of_ms for report in reports if report.as_of_ms is not None), default=None)
    return (
        "all",
        f"{ready}/{len(reports)} ready",
        "",
        "-" if oldest is None else from_unix(oldest // 1000),
        f"{max((report.lag_seconds for report in reports), default=0):.0f}",
        *(str(_sum(reports, name)) for name in _SUMMED),
    )


def _sum(reports: Sequence[ShardReport], name: str) -> int:
    return sum(_SUMMED[name](report) for report in reports)


def _parked(reports: Sequence[ShardReport]) -> Counter[str]:
    return sum((Counter(report.parked or {}) for report in reports), Counter())


def _notes(status: Status) -> list[str]:
    """Closed buckets; parked rows and dead letters by reason."""
    notes = [
        f"shard {report.shard}: folded from a log whose head is gone; usage before "
        f"{from_unix(report.closed_before * 3600)} is incomplete and not billed any more"
        for report in status.reports
        if report.closed_before
    ]
    parked = _parked(status.reports)
    if parked:
        notes.append("parked: " + _listed(parked))
    if status.dead_letters is not None:
        bound = " (of the newest records)" if status.truncated else ""
        notes.append(f"open dead letters{bound}: " + (_listed(status.dead_letters) or "none"))
    return notes


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(numbers.items()))


def _sentences(status: Status) -> list[str]:
    return [f"shard {shard}: {concern}" for shard, concern in status.concerns] or ["nothing needs a person"]
