"""Reading every shard's status: Redis for where it stands, Kafka for where it should."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ledger.notices import read_notices
from ledger.pushes import read_in_flight, read_parked, read_set_accounts
from ledger.reading import NotReadyError
from ledger.shard import Shard
from ledger.state import Log
from ledger.status import ShardStatus, read_status, scan_due
from metering.account import Account
from metering.bucket import before_subscription
from metering.row import split_bucket_key
from ops.logs.open_transactions import OpenTransaction
from ops.logs.order_log import late_offsets
from ops.logs.reader import Bounds
from ops.status.kafka_view import KafkaView
from ops.status.report import LogPlace, ShardPhase, ShardReport
from runtime.topics import TopicNames

WATCH_SECONDS = 3.0  # a fold gets on by thousands of records in that time, a worker's look takes a second

AskKafka = Callable[[Mapping[int, int]], Awaitable[KafkaView | None]]
"""Asks Kafka, after the fences of the usage log were read; None while it does not answer."""


@dataclass(slots=True)
class _Due:
    billable: int = 0
    no_customer: int = 0
    without_customer: set[str] = field(default_factory=set)
    never_set: set[str] = field(default_factory=set)
    never_billed: int = 0


class StatusReader:
    """Reads reports of shards."""

    def __init__(self, topics: TopicNames, ask_kafka: AskKafka) -> None:
        """`kafka` is what Kafka has said at the last look."""
        self._topics = topics
        self._ask_kafka = ask_kafka
        self.kafka: KafkaView | None = None

    async def read(self, shards: list[Shard]) -> list[ShardReport]:
        """A report of each shard; those that are not ready are watched for a moment, to see whether they get on.

        What is stopped says so itself.
        """
        reports = await self._read_all(shards)
        suspects = [
            report
            for report in reports
            if not report.stops and not (report.phase is ShardPhase.READY and report.push_ready)
        ]
        if not suspects:
            return reports
        await asyncio.sleep(WATCH_SECONDS)
        before = {report.shard: report for report in suspects}
        return [replace(now, stalled=_stalled(before.get(now.shard), now)) for now in await self._read_all(shards)]

    async def _read_all(self, shards: list[Shard]) -> list[ShardReport]:
        statuses = {shard.number: await read_status(shard) for shard in shards}
        fences = {number: each.state.fences[Log.USAGE] for number, each in statuses.items() if _can_wait(each)}
        self.kafka = await self._ask_kafka(fences)
        return [await self._report(shard, statuses[shard.number]) for shard in shards]

    async def _report(self, shard: Shard, status: ShardStatus) -> ShardReport:
        due = await _due(shard, status.state.closed_before) if status.due else _Due()
        in_flight = await read_in_flight(shard) if status.in_flight else {}
        parked = await read_parked(shard) if status.parked else {}
        report = ShardReport(
            shard=shard.number,
            phase=_phase(status),
            now_ms=time.time_ns() // 1_000_000,
            as_of_ms=status.as_of_ms,
            usage=LogPlace(status.state.fences.get(Log.USAGE)),
            pushes=LogPlace(status.state.fences.get(Log.PUSHES)),
            records=status.state.conservation,
            push_ready=status.push_ready,
            push_as_of_ms=status.push_as_of_ms,
            clearing_ms=status.clearing_ms,
            stops=status.state.stops,
            drain=status.state.drain,
            closed_before=status.state.closed_before,
            due=due.billable,
            no_customer=due.no_customer,
            without_customer=sorted(due.without_customer - due.never_set),
            never_set=sorted(due.without_customer & due.never_set),
            never_billed=due.never_billed,
            in_flight=status.in_flight,
            in_flight_ms=min((entry.prepared_ms for entry in in_flight.values()), default=None),
            parked=Counter(entry.reason.value for entry in parked.values()),
            notices=await read_notices(shard),
            refuses=status.refuses,
        )
        return report if self.kafka is None else _with_kafka(report, status, self.kafka, self._topics)


def _can_wait(status: ShardStatus) -> bool:
    """Whether its next record can be asked for: what stops a log may be that it can't be read."""
    return Log.USAGE in status.state.fences and Log.USAGE not in status.state.stops


def _with_kafka(report: ShardReport, status: ShardStatus, kafka: KafkaView, topics: TopicNames) -> ShardReport:
    """The report with where its logs end."""
    stop, pushes = status.state.stops.get(Log.USAGE), kafka.pushes.get(report.shard)
    waiting_ms = kafka.waiting_ms.get(report.shard) if stop is None else stop.since_ms
    there = replace(
        report,
        usage=replace(_place(status, Log.USAGE, kafka.usage[report.shard]), waiting_ms=waiting_ms),
        pushes=_place(status, Log.PUSHES, pushes or Bounds(0, 0)),
        added=pushes is None,
        push_ready=report.push_ready or pushes is None,
        late=late_offsets(kafka.orders.of(topics.usage, report.shard), status.state),
    )
    return with_open(there, [each for each in kafka.held.values() if each.partition == report.shard], topics)


def with_open(report: ShardReport, held: Sequence[OpenTransaction], topics: TopicNames) -> ShardReport:
    """The report with the transactions that hold its logs back: what they hold back lags."""
    usage, pushes = report.usage, report.pushes
    for each in held:
        if each.topic == topics.usage:
            waiting_ms = usage.waiting_ms if usage.waiting_ms is not None else each.since_ms
            usage = replace(usage, stable=usage.end, end=each.end, waiting_ms=waiting_ms)
        elif each.topic == topics.pushes:
            pushes = replace(pushes, stable=pushes.end, end=each.end)
    return replace(report, usage=usage, pushes=pushes, held=tuple(held))


async def _due(shard: Shard, closed_before: int) -> _Due:
    """The buckets that are due, by whether they can be billed; while accounts are being folded, as if they could."""
    due, facts = _Due(), dict[str, Account | None]()
    async for buckets in scan_due(shard):
        unknown = {split_bucket_key(bucket)[0] for bucket in buckets} - facts.keys()
        with suppress(NotReadyError):
            facts |= await read_set_accounts(shard, sorted(unknown))
        for bucket in buckets:
            name, _, hour = split_bucket_key(bucket)
            if facts.get(name, Account()) is None:
                due.never_set.add(name)
            account = facts.get(name) or (Account() if name in facts else None)
            _sort(due, name, account, hour, closed_before)
    return due


def _sort(due: _Due, name: str, account: Account | None, hour: int, closed_before: int) -> None:
    if hour < closed_before or (account and before_subscription(hour, account.subscription_start)):
        due.never_billed += 1
    elif account and account.customer is None:
        due.no_customer += 1
        due.without_customer.add(name)
    else:
        due.billable += 1


def _place(status: ShardStatus, log: Log, bounds: Bounds) -> LogPlace:
    return LogPlace(status.state.fences.get(log), bounds.earliest, bounds.end)


def _phase(status: ShardStatus) -> ShardPhase:
    if status.clearing_ms is not None:
        return ShardPhase.CLEARING
    if not status.state.incarnation:
        return ShardPhase.EMPTY
    return ShardPhase.READY if status.ready else ShardPhase.FOLDING


def _stalled(before: ShardReport | None, now: ShardReport) -> bool:
    """Whether a shard that was not ready still is not, and no fold of it got on."""
    if before is None or (now.phase is ShardPhase.READY and now.push_ready):
        return False
    fences = [(each.usage.fence, each.pushes.fence, each.phase) for each in (before, now)]
    return fences[0] == fences[1]
