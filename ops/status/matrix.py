"""`--all`: a line per shard, in as many tables below each other as the width takes; no cell is cut."""

from collections.abc import Callable, Sequence

from metering.rfc3339 import from_unix
from ops.console.plain_table import columns
from ops.status.report import ShardPhase, ShardReport

_GAP = 2

NUMBERS: dict[str, Callable[[ShardReport], int]] = {
    "LAG": lambda report: report.usage.lag,
    "READ": lambda report: report.records.read,
    "COUNTED": lambda report: report.records.counted,
    "DUPLICATE": lambda report: report.records.duplicate,
    "DEAD": lambda report: report.records.dead,
    "RE-ROUTED": lambda report: report.records.rerouted,
    "QUARANTINED": lambda report: report.records.quarantined,
    "DUE": lambda report: report.due,
    "NO CUSTOMER": lambda report: report.no_customer,
    "NEVER BILLED": lambda report: report.never_billed,
    "IN FLIGHT": lambda report: report.in_flight,
    "PARKED": lambda report: sum((report.parked or {}).values()),
    "PUSH LAG": lambda report: report.pushes.lag,
}
_WORDS: dict[str, Callable[[ShardReport], str]] = {
    "STATE": lambda report: f"{report.phase.value}, stopped" if report.stops else report.phase.value,
    "FENCE": lambda report: "-" if report.usage.fence is None else str(report.usage.fence),
    "AS OF": lambda report: "-" if report.as_of_ms is None else from_unix(report.as_of_ms // 1000),
    "WAITS S": lambda report: f"{report.lag_seconds:.0f}",
}

_COUNTED = ("READ", "COUNTED", "DUPLICATE", "DEAD", "RE-ROUTED", "QUARANTINED")
_BILLED = ("DUE", "NO CUSTOMER", "NEVER BILLED", "IN FLIGHT", "PARKED", "PUSH LAG")
_TABLES = ((*_WORDS, "LAG"), _COUNTED, _BILLED)


def matrix(reports: Sequence[ShardReport], width: int) -> list[str]:
    """The lines: where each shard stands, what became of its records, what of it is billed."""
    head = ["SHARD", *(str(report.shard) for report in reports), "all"]
    tables: list[list[list[str]]] = []
    for topic in _TABLES:
        tables.append([head])
        for column in (_column(name, reports) for name in topic):
            if _width([*tables[-1], column]) > width:
                tables.append([head])
            tables[-1].append(column)
    return [line for table in tables for line in (*columns(list(zip(*table, strict=True))), "")][:-1]


def _column(name: str, reports: Sequence[ShardReport]) -> list[str]:
    if name in _WORDS:
        return [name, *map(_WORDS[name], reports), _total(name, reports)]
    cells = [name, *(_figure(name, report) for report in reports), str(total(reports, name))]
    return [cell.rjust(max(map(len, cells))) for cell in cells]


def total(reports: Sequence[ShardReport], name: str) -> int:
    """The sum of a column."""
    return sum(NUMBERS[name](report) for report in reports)


def _width(table: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) for column in table) + _GAP * (len(table) - 1)


def _figure(name: str, report: ShardReport) -> str:
    unknown = (name == "LAG" and report.usage.end is None) or (name == "PUSH LAG" and report.pushes.end is None)
    return "?" if unknown else str(NUMBERS[name](report))


def _total(name: str, reports: Sequence[ShardReport]) -> str:
    if name == "STATE":
        return f"{sum(report.phase is ShardPhase.READY for report in reports)}/{len(reports)} ready"
    if name == "AS OF":
        oldest = min((report.as_of_ms for report in reports if report.as_of_ms is not None), default=None)
        return "-" if oldest is None else from_unix(oldest // 1000)
    if name == "WAITS S":
        return f"{max((report.lag_seconds for report in reports), default=0):.0f}"
    return ""
