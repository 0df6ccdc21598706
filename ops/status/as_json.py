"""A status for programs: everything, times in Unix milliseconds."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from metering.troubles.finding import Finding, Group, grouped, needs_a_person
from ops.status.matrix import NUMBERS, total
from ops.status.report import ShardReport
from ops.status.system import System, findings
from ops.status.text import verdict


def as_json(system: System) -> dict[str, Any]:
    """The verdict, the findings as the screen has them, each shard, the sums."""
    found = findings(system)
    groups = grouped(found)
    letters = system.letters
    return {
        "verdict": verdict(system, groups),
        "needs_a_person": needs_a_person(found),
        "findings": [_finding(group) for group in groups],
        "shards": [_shard(report, found) for report in system.reports],
        "totals": {name.lower().replace(" ", "_").replace("-", ""): total(system.reports, name) for name in NUMBERS},
        "parked": dict(sum((Counter(report.parked or {}) for report in system.reports), Counter())),
        "dead_letters": None if letters is None else dict(letters.open_by_reason()),
        "dead_letters_truncated": letters is not None and letters.truncated,
    }


def _finding(group: Group) -> dict[str, Any]:
    return {
        "trouble": group.trouble.value,
        "severity": group.severity.value,
        "shards": list(group.shards),
        "sentence": group.sentence,
        "params": dict(group.params),
        "details": list(group.details),
        "mend": group.mend,
        "more": group.entry.link,
    }


def _shard(report: ShardReport, found: Collection[Finding]) -> dict[str, Any]:
    told = {name: value for name, value in asdict(report).items() if name != "notices"}
    stops = {log.value: asdict(stop) for log, stop in report.stops.items()}
    return told | {
        "stops": stops,
        "lag": report.usage.lag,
        "lag_seconds": report.lag_seconds,
        "push_lag": report.pushes.lag,
        "troubles": sorted({each.trouble.value for each in found if each.shard == report.shard}),
    }
