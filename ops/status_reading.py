"""Reading every shard's status: Redis for where it stands, Kafka for where it should."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

from ledger.pushes import read_accounts, read_in_flight, read_parked
from ledger.reading import NotReadyError
from ledger.shard import Shard
from ledger.state import Log
from ledger.status import ShardStatus, read_status, scan_due
from metering.account import Account
from metering.bucket import before_subscription
from metering.row import split_bucket_key
from ops.append_time import append_ms_at
from ops.log_reading import Bounds, LogReader
from ops.shard_report import LogPlace, ShardPhase, ShardReport
from runtime.topics import TopicNames

WATCH_SECONDS = 3.0  # a fold gets on by thousands of records in that time, a worker's look takes a second


@dataclass(slots=True)
class _Due:
    billable: int = 0
    no_customer: int = 0
    never_billed: int = 0


class StatusReader:
    """Reads reports of shards."""

    def __init__(self, reader: LogReader, topics: TopicNames) -> None:
        self._reader = reader
        self._topics = topics

    async def read(self, shards: list[Shard]) -> list[ShardReport]:
        """A report of each shard; those that are not ready are watched for a moment, to see whether they get on."""
        reports = await self._read_all(shards)
        suspects = [report for report in reports if not (report.phase is ShardPhase.READY and report.push_ready)]
        if not suspects:
            return reports
        await asyncio.sleep(WATCH_SECONDS)
        before = {report.shard: report for report in suspects}
        return [replace(now, stalled=_stalled(before.get(now.shard), now)) for now in await self._read_all(shards)]

    async def _read_all(self, shards: list[Shard]) -> list[ShardReport]:
        statuses = {shard.number: await read_status(shard) for shard in shards}
        usage = self._reader.bounds(self._topics.usage)  # after the fences: no lag is negative by the order of reads
        pushes = self._reader.bounds(self._topics.pushes)
        return [
            await self._report(shard, statuses[shard.number], usage[shard.number], pushes[shard.number])
            for shard in shards
        ]

    async def _report(self, shard: Shard, status: ShardStatus, usage: Bounds, pushes: Bounds) -> ShardReport:
        due = await _due(shard, status.state.closed_before) if status.due else _Due()
        in_flight = await read_in_flight(shard) if status.in_flight else {}
        parked = await read_parked(shard) if status.parked else {}
        return ShardReport(
            shard=shard.number,
            phase=_phase(status),
            now_ms=time.time_ns() // 1_000_000,
            as_of_ms=status.as_of_ms,
            usage=self._waiting(shard.number, _place(status, Log.USAGE, usage)),
            pushes=_place(status, Log.PUSHES, pushes),
            records=status.state.conservation,
            push_ready=status.push_ready,
            push_as_of_ms=status.push_as_of_ms,
            clearing_ms=status.clearing_ms,
            closed_before=status.state.closed_before,
            due=due.billable,
            no_customer=due.no_customer,
            never_billed=due.never_billed,
            in_flight=status.in_flight,
            in_flight_ms=min((entry.prepared_ms for entry in in_flight.values()), default=None),
            parked=Counter(entry.reason.value for entry in parked.values()),
        )

    def _waiting(self, shard: int, place: LogPlace) -> LogPlace:
        if not place.lag or place.fence is None or place.fence < place.earliest:
            return place
        rest = Bounds(place.fence, place.end)
        return replace(place, waiting_ms=append_ms_at(self._reader, self._topics.usage, shard, rest))


async def _due(shard: Shard, closed_before: int) -> _Due:
    """The buckets that are due, by whether they can be billed; while accounts are being folded, as if they could."""
    due, facts = _Due(), dict[str, Account]()
    async for buckets in scan_due(shard):
        unknown = {split_bucket_key(bucket)[0] for bucket in buckets} - facts.keys()
        with suppress(NotReadyError):
            facts |= await read_accounts(shard, sorted(unknown))
        for bucket in buckets:
            name, _, hour = split_bucket_key(bucket)
            _sort(due, facts.get(name), hour, closed_before)
    return due


def _sort(due: _Due, account: Account | None, hour: int, closed_before: int) -> None:
    if hour < closed_before or (account and before_subscription(hour, account.subscription_start)):
        due.never_billed += 1
    elif account and account.customer is None:
        due.no_customer += 1
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
