"""What one shard's numbers mean: its lag, and what about it needs a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.state import Conservation

CLEARING_SECONDS = 300.0  # a rebuild removes a million keys in less; its mark without it means that it died
STALE_SECONDS = 60.0  # workers say every second that a shard is caught up
LAG_SECONDS = 300.0  # the oldest record that waits to be counted
IN_FLIGHT_SECONDS = 3600.0  # Stripe has not answered for so long, or nobody asks


class ShardPhase(StrEnum):
    """How a shard stands with its readers."""

    READY = "ready"
    FOLDING = "folding"
    CLEARING = "clearing"
    EMPTY = "empty"
    """Nobody has begun to fold it."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a fold stands in its log. `fence` None: it has not begun. `waiting_ms`: the next record's append time."""

    fence: int | None
    earliest: int
    end: int
    waiting_ms: int | None = None

    @property
    def lag(self) -> int:
        """Records (offsets) that wait to be folded."""
        return max(0, self.end - (self.earliest if self.fence is None else self.fence))


@dataclass(frozen=True, slots=True)
class ShardReport:
    """One shard at one moment; times are Unix milliseconds, None for never.

    Attributes:
        shard: its number.
        phase: how it stands with its readers.
        now_ms: the moment.
        as_of_ms: up to when it is known to have been counted completely.
        clearing_ms: when the clearing began that has not ended.
        stalled: not ready, and no fold of it has got on while it was watched.
        usage: the usage log.
        pushes: the push log.
        push_ready: whether what Stripe has accepted is known.
        push_as_of_ms: up to when the push log is known to have been folded completely.
        records: of the usage log, by fate.
        due: buckets with units that no row has claimed, and whose account can be billed.
        no_customer: such buckets of accounts without a Stripe customer.
        never_billed: such buckets from before their subscription, or closed.
        closed_before: the hour before which buckets are closed, because a log's head was gone; 0 for none.
        in_flight: rows on their way to Stripe; `in_flight_ms` is when the oldest was prepared.
        parked: rows that wait for a person, by reason.
    """

    shard: int
    phase: ShardPhase
    now_ms: int
    as_of_ms: int | None
    usage: LogPlace
    pushes: LogPlace
    records: Conservation
    push_ready: bool = False
    push_as_of_ms: int | None = None
    clearing_ms: int | None = None
    stalled: bool = False
    due: int = 0
    no_customer: int = 0
    never_billed: int = 0
    closed_before: int = 0
    in_flight: int = 0
    in_flight_ms: int | None = None
    parked: Mapping[str, int] | None = None

    @property
    def lag_seconds(self) -> float:
        """How long the oldest record that is not counted has waited."""
        return _age(self.now_ms, self.usage.waiting_ms) if self.usage.lag else 0.0


def concerns(report: ShardReport) -> list[str]:
    """What about a shard needs a person, each with what to do; empty while it gets on by itself."""
    if report.phase is ShardPhase.CLEARING:
        age = _age(report.now_ms, report.clearing_ms)
        return [] if age < CLEARING_SECONDS else [_interrupted(report.shard, age)]
    if report.phase is ShardPhase.EMPTY:
        return ["nobody folds it: is an aggregator running?"] if report.stalled else []
    return [*_record_concerns(report), *_log_concerns(report), *_fold_concerns(report), *_row_concerns(report)]


def _interrupted(shard: int, age: float) -> str:
    return f"has been clearing for {age:.0f} s: if no rebuild runs, take it up with billing rebuild --shard {shard}"


def _record_concerns(report: ShardReport) -> list[str]:
    records = report.records
    fates = (records.counted, records.duplicate, records.dead, records.rerouted)
    if records.read == sum(fates) and min(fates) >= 0:
        return []
    return [f"{records.read} records read are not the sum of their fates: find out with billing verify, and rebuild it"]


def _log_concerns(report: ShardReport) -> list[str]:
    found = []
    for name, log in (("usage log", report.usage), ("push log", report.pushes)):
        if log.fence is None:
            continue
        if log.fence > log.end:
            found.append(f"the {name} ends at {log.end}, {log.fence} was folded: was the topic truncated or recreated?")
        elif log.fence < log.earliest:
            found.append(f"the {name} begins at {log.earliest}, {log.fence} must be folded next: retention was faster")
    return found


def _fold_concerns(report: ShardReport) -> list[str]:
    if report.as_of_ms is None:
        return ["its first fold does not get on: look at the aggregator"] if report.stalled else []
    found, age = [], _age(report.now_ms, report.as_of_ms)
    if age > STALE_SECONDS:
        unseen = "" if report.phase is ShardPhase.READY else ", and its accounts read 503"
        found.append(f"was last caught up {age:.0f} s ago{unseen}: look at the aggregator")
    if report.lag_seconds > LAG_SECONDS:
        found.append(f"the oldest uncounted record has waited {report.lag_seconds:.0f} s: is there enough aggregator?")
    return found


def _row_concerns(report: ShardReport) -> list[str]:
    found = []
    if report.push_as_of_ms is None:
        if report.stalled:
            found.append("its push log was never folded: is a Stripe worker running?")
    elif (age := _age(report.now_ms, report.push_as_of_ms)) > STALE_SECONDS:
        found.append(f"its push log was last folded {age:.0f} s ago: look at the Stripe worker")
    if report.parked:
        found.append(f"{sum(report.parked.values())} rows are parked: " + ", ".join(sorted(report.parked)))
    if report.in_flight and (age := _age(report.now_ms, report.in_flight_ms)) > IN_FLIGHT_SECONDS:
        found.append(f"a row has been on its way to Stripe for {age:.0f} s: look at the Stripe worker")
    return found


def _age(now_ms: int, then_ms: int | None) -> float:
    return 0.0 if then_ms is None else max(0.0, (now_ms - then_ms) / 1000)
