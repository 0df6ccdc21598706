"""What is wrong with one shard, from its numbers alone."""

from collections.abc import Iterator, Sequence
from itertools import chain

from ledger.state import Log
from metering.alarms import HELD_SECONDS
from metering.rfc3339 import from_unix
from metering.troubles.finding import Finding, Param, of_stop
from metering.troubles.names import Trouble
from ops.logs.open_transactions import OpenTransaction
from ops.status.report import LogPlace, ShardPhase, ShardReport

CLEARING_SECONDS = 300.0  # a rebuild removes a million keys in less; its mark without it means that it died
STALE_SECONDS = 60.0  # workers say every second that a shard is caught up
BEHIND_SECONDS = 8.0  # a service that restarts, or takes shards over, needs no person; but what waits is told at once
LAG_SECONDS = 300.0  # the oldest record that waits to be counted
IN_FLIGHT_SECONDS = 3600.0  # Stripe has not answered for so long, or nobody asks
_MOST_NAMED = 5  # accounts


def shard_findings(report: ShardReport) -> list[Finding]:
    """All that is wrong with a shard, whatever else is; what mends itself is no finding."""
    found = chain(
        (of_stop(report.shard, log.words, stop, report.now_ms) for log, stop in report.stops.items()),
        _of_transactions(report),
        _of_fold(report),
        _of_records(report),
        _of_logs(report),
        _of_push_log(report),
        _of_rows(report),
        report.notices,
        _notes(report),
    )
    return list(found)


def _finding(report: ShardReport, trouble: Trouble, detail: str = "", **params: Param) -> Finding:
    return Finding(trouble, report.shard, params, detail)


def _long_open(report: ShardReport) -> list[OpenTransaction]:
    return [each for each in report.held if each.age(report.now_ms) >= HELD_SECONDS]


def _of_transactions(report: ShardReport) -> Iterator[Finding]:
    for each in _long_open(report):
        yield _finding(
            report,
            Trouble.TRANSACTION_OPEN,
            f"{each.topic}-{each.partition} from offset {each.offset} on",
            writer=each.writer,
            log=each.topic,
            seconds=each.age(report.now_ms),
            records=each.end - each.offset,
        )


def _of_fold(report: ShardReport) -> Iterator[Finding]:
    """Whether it is folded, and how far; a log that is stopped says so itself."""
    if report.phase is ShardPhase.CLEARING:
        if (age := report.age(report.clearing_ms)) >= CLEARING_SECONDS:
            yield _finding(report, Trouble.CLEARING_LONG, seconds=age)
    elif report.stops:
        return
    elif report.as_of_ms is None:
        if report.stalled and not (report.added and report.lag_seconds <= STALE_SECONDS):  # aggregators look for them
            begun = report.phase is not ShardPhase.EMPTY
            yield _finding(report, Trouble.FIRST_FOLD_STANDS if begun else Trouble.NOT_BEGUN)
    else:
        yield from _of_freshness(report)


def _of_freshness(report: ShardReport) -> Iterator[Finding]:
    ready, age = report.phase is ShardPhase.READY, report.age(report.as_of_ms)
    if _long_open(report) and ready and report.usage.is_read:
        return  # that is why it is not fresh
    if age > STALE_SECONDS:
        yield _finding(report, Trouble.STALE if ready else Trouble.UNSEEN, seconds=age)
    elif age > BEHIND_SECONDS and ready:
        yield _finding(report, Trouble.BEHIND, seconds=age)
    if report.lag_seconds > LAG_SECONDS:
        yield _finding(report, Trouble.LAG_LONG, seconds=report.lag_seconds)


def _of_records(report: ShardReport) -> Iterator[Finding]:
    if not report.records.balanced:
        yield _finding(report, Trouble.UNBALANCED, records=report.records.read)
    if report.late > 0:
        yield _finding(report, Trouble.ORDER_LATE, offsets=report.late)
    if report.late < 0:
        yield _finding(report, Trouble.ORDER_GONE, offsets=-report.late)


def _of_logs(report: ShardReport) -> Iterator[Finding]:
    for log, place in ((Log.USAGE, report.usage), (Log.PUSHES, report.pushes)):
        if log not in report.stops:
            yield from _of_log(report, log.words, place)


def _of_log(report: ShardReport, log: str, place: LogPlace) -> Iterator[Finding]:
    if place.fence is None or place.end is None:
        return
    if place.fence > place.end:
        yield _finding(report, Trouble.LOG_ENDS_BEFORE, log=log, end=place.end, fence=place.fence)
    elif place.fence < place.earliest:
        yield _finding(report, Trouble.LOG_BEGINS_AFTER, log=log, begin=place.earliest, fence=place.fence)


def _of_push_log(report: ShardReport) -> Iterator[Finding]:
    if report.added or report.phase in {ShardPhase.CLEARING, ShardPhase.EMPTY}:
        return
    if report.push_as_of_ms is None:
        if report.stalled and not report.stops:
            yield _finding(report, Trouble.PUSH_LOG_NEVER_FOLDED)
    elif (age := report.age(report.push_as_of_ms)) > STALE_SECONDS:
        yield _finding(report, Trouble.PUSH_LOG_STALE, seconds=age)
    elif age > BEHIND_SECONDS:
        yield _finding(report, Trouble.PUSH_LOG_BEHIND, seconds=age)


def _of_rows(report: ShardReport) -> Iterator[Finding]:
    for reason, rows in sorted((report.parked or {}).items()):
        yield _finding(report, Trouble.ROWS_PARKED, rows=rows, reason=reason)
    if report.in_flight and (age := report.age(report.in_flight_ms)) > IN_FLIGHT_SECONDS:
        yield _finding(report, Trouble.IN_FLIGHT_LONG, seconds=age)
    if report.never_set:
        yield _finding(report, Trouble.NEVER_SET, _named(report.never_set), accounts=len(report.never_set))


def _notes(report: ShardReport) -> Iterator[Finding]:
    if accounts := report.without_customer:
        yield _finding(report, Trouble.NO_CUSTOMER, _named(accounts), accounts=len(accounts))
    if report.never_billed:
        yield _finding(report, Trouble.NEVER_BILLED, buckets=report.never_billed)
    if report.closed_before:
        yield _finding(report, Trouble.CLOSED, time=from_unix(report.closed_before * 3600))
    if report.added:
        yield _finding(report, Trouble.PARTITIONS_ADDED)
    drain = report.drain
    if drain is not None and (report.usage.fence or 0) < drain.until:
        yield _finding(report, Trouble.DRAINING, f"up to offset {drain.until}: {drain.why}", who=drain.who)


def _named(accounts: Sequence[str]) -> str:
    more = f" and {len(accounts) - _MOST_NAMED} more" if len(accounts) > _MOST_NAMED else ""
    return ", ".join(accounts[:_MOST_NAMED]) + more
