"""What is wrong now, in words; and the same trouble of several shards as one."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metering.stop import Stop
from metering.troubles.catalogue import BY_STOP, TROUBLES
from metering.troubles.entry import SEVERITIES, Severity, TroubleEntry
from metering.troubles.names import Trouble

Param = str | int | float

SUMMED = {"accounts", "buckets", "offsets", "records", "rows", "units"}
LARGEST = {"seconds", "calls"}  # of a process, which tells it in each of its shards
SMALLEST = {"left"}
SPANS = {"seconds", "left"}  # shown as a person says them
ANY_OF_THEM = {"offset": "OFFSET"}  # what a command says where they differ
_MERGED = {*SUMMED, *LARGEST, *SMALLEST, *ANY_OF_THEM}
MOST_SHARDS_NAMED = 8  # in a command
DAY, HOUR, MINUTE = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One trouble that is so now.

    Attributes:
        trouble: what it is.
        shard: whose it is; None for the system's.
        params: what stands for the names in braces of its entry.
        detail: the cause in more words, or whom it concerns; may come from outside.
    """

    trouble: Trouble
    shard: int | None = None
    params: Mapping[str, Param] = field(default_factory=dict)
    detail: str = ""

    def __str__(self) -> str:
        (group,) = grouped([self])
        return f"{group.sentence}: {self.detail}" if self.detail else group.sentence


@dataclass(frozen=True, slots=True)
class Group:
    """One trouble of one cause: of some shards, or of the system. `details` without repetition."""

    trouble: Trouble
    shards: tuple[int, ...]
    params: Mapping[str, Param]
    details: tuple[str, ...]

    @property
    def entry(self) -> TroubleEntry:
        """Its line in the list."""
        return TROUBLES[self.trouble]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.entry.severity

    @property
    def sentence(self) -> str:
        """What is so."""
        shown = {
            name: duration(value) if name in SPANS and not isinstance(value, str) else value
            for name, value in self.params.items()
        }
        return f"{self._whose()}{self.entry.says.format(**shown)}"

    @property
    def mend(self) -> str:
        """What mends it: a command, as far as there is one."""
        few = 0 < len(self.shards) <= MOST_SHARDS_NAMED
        options = " ".join(f"--shard {number}" for number in self.shards) if few else "--shard N"
        shard = self.shards[0] if len(self.shards) == 1 else "N"
        return self.entry.mend.format(shard=shard, shards=options, **self.params)

    def _whose(self) -> str:
        if not self.shards or not self.entry.of_shards:
            return ""
        return f"shard{'s' if len(self.shards) > 1 else ''} {numbers(self.shards)}: "


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """The findings, those of one cause together; the worst first, then as the list has them."""
    groups: dict[tuple[Any, ...], list[Finding]] = {}
    for finding in findings:
        cause = sorted((name, str(value)) for name, value in finding.params.items() if name not in _MERGED)
        groups.setdefault((finding.trouble, *cause), []).append(finding)
    order = list(Trouble)
    return sorted(
        map(_group, groups.values()),
        key=lambda group: (SEVERITIES.index(group.severity), order.index(group.trouble)),
    )


def needs_a_person(findings: Iterable[Finding]) -> bool:
    """Whether there is anything that does not mend itself."""
    return any(TROUBLES[finding.trouble].severity is not Severity.NOTE for finding in findings)


def of_stop(shard: int, log: str, stop: Stop, now_ms: int) -> Finding:
    """A log of a shard that can't be folded on; `log` is its topic."""
    trouble = BY_STOP.get(stop.reason, Trouble.STOPPED_OTHERWISE)
    params: dict[str, Param] = {
        "log": log,
        "seconds": max(0.0, (now_ms - stop.since_ms) / 1000),
        "offset": stop.offset,
        "reason": stop.reason,
    }
    return Finding(trouble, shard, params, stop.message)


def to_json(findings: Collection[Finding]) -> dict[str, str]:
    """Findings of one shard by trouble, to be kept for `billing status`."""
    said: dict[str, list[dict[str, Any]]] = {}
    for each in findings:
        said.setdefault(each.trouble.value, []).append({"params": dict(each.params), "detail": each.detail})
    return {name: json.dumps(told, separators=(",", ":")) for name, told in said.items()}


def from_json(shard: int, said: Mapping[str, str]) -> list[Finding]:
    """What `to_json` gave; what another version has said stays what it is, by its name."""
    return [finding for name, text in sorted(said.items()) for finding in _parse(shard, name, text)]


def _parse(shard: int, name: str, text: str) -> Sequence[Finding]:
    try:
        trouble = Trouble(name)
        found = [Finding(trouble, shard, told["params"], told["detail"]) for told in json.loads(text)]
        grouped(found)[0].sentence  # noqa: B018 - has it all that its words need?
    except (ValueError, LookupError, TypeError):
        return [Finding(Trouble.SAID_OTHERWISE, shard, {"name": name}, text)]
    return found


def _group(found: Sequence[Finding]) -> Group:
    params = {name: _merged(name, [finding.params[name] for finding in found]) for name in found[0].params}
    shards = tuple(sorted({finding.shard for finding in found if finding.shard is not None}))
    details = tuple(dict.fromkeys(finding.detail for finding in found if finding.detail))
    return Group(found[0].trouble, shards, params, details)


def _merged(name: str, values: Sequence[Param]) -> Param:
    if name in ANY_OF_THEM and len(set(values)) > 1:
        return ANY_OF_THEM[name]
    figures = [value for value in values if not isinstance(value, str)]
    if name in SUMMED:
        return sum(figures)
    if name in LARGEST:
        return max(figures)
    return min(figures) if name in SMALLEST else values[0]


def duration(seconds: float) -> str:
    """A time span as a person says it, rounded down."""
    for unit, name in ((DAY, "days"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"


def numbers(values: Iterable[int]) -> str:
    """Numbers as a person writes them: "0-3, 7"."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
