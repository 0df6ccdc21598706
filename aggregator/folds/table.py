"""The folds of the compacted logs, accounts and API keys, into one shard."""

from collections.abc import Callable

from pydantic import ValidationError

from aggregator.folds.dead_letters import dead_letter
from aggregator.folds.fold import FoldStanding
from aggregator.folds.quarantine import Orders, Quarantine
from aggregator.publisher import Message, Publisher
from ledger.answer import Answer, Verdict
from ledger.shard import Shard
from ledger.state import Log, open_shard
from ledger.tables import TableBatch, fold_table, vouch_table
from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.counting import Interval, LogRecord, mark_of
from metering.partition import partition_of
from metering.reject import Reject, RejectReason, unreadable
from runtime.clock import SystemClock

CLOCK = SystemClock()
_MISPLACED = "the record's key belongs to partition {}, it was found on {}: write it with Kafka's murmur2 partitioner"
_RECORDS: dict[Log, type[Account] | type[ApiKeyRecord]] = {Log.ACCOUNTS: Account, Log.API_KEYS: ApiKeyRecord}


class TableFold:
    """Keeps the last valid record of each key; a record without a value (a tombstone) removes it.

    A record that can't be read, or lies on another partition than its key's, becomes a dead letter and the key keeps
    what it had (decisions 0006 and 0012).
    """

    def __init__(  # noqa: PLR0913, PLR0917 - collaborators, wired once
        self,
        shard: Shard,
        log: Log,
        topics: tuple[str, str],
        partitions: int,
        publisher: Publisher,
        make_incarnation: Callable[[], str],
        rejected: Callable[[Log, Reject], None] = lambda *_: None,
        orders: Orders = tuple,
        now_ms: Callable[[], int] = CLOCK.now_ms,
    ) -> None:
        """`topics` are the table's own and the dead letters'; `rejected` is told of every dead letter.

        `orders` gives what is to be passed by.
        """
        self._now_ms = now_ms
        self._shard = shard
        self._log = log
        self._topic, self._dead_letters = topics
        self._partitions = partitions
        self._publisher = publisher
        self._make_incarnation = make_incarnation
        self._rejected = rejected
        self._quarantine = Quarantine(shard, log, topics, publisher, orders)

    async def open(self, earliest: int, folded_before: int = 0) -> FoldStanding:  # noqa: ARG002 - tables have no window
        """Where the shard stands: at the log's beginning, where the log may have forgotten what was removed since."""
        now_ms, incarnation = self._now_ms(), self._make_incarnation()
        state = await open_shard(self._shard, self._log, earliest=earliest, incarnation=incarnation)
        fence = await vouch_table(
            self._shard, self._log, earliest=earliest, now_ms=now_ms, incarnation=self._make_incarnation()
        )
        if fence is None:  # flushed in between
            return await self.open(earliest)
        if fence != state.fences[self._log]:
            return FoldStanding(fence)
        return FoldStanding(fence, state.marks.get(self._log), state.stops.get(self._log))

    async def apply(self, interval: Interval) -> Answer:
        """Folds an interval, but for what a person has ordered to be passed by."""
        answer = Answer(Verdict.STALE, None)
        for piece, order in self._quarantine.pieces(interval):
            folding = self._fold(piece) if order is None else self._quarantine.pass_by(piece, order)
            answer = await folding
            if not answer.applied:
                break
        return answer

    async def pass_unread(self, at: int, end: int | None) -> Answer | None:
        """Passes by what can't be read from `at`, up to `end` where that is known; None if nobody has ordered that."""
        return await self._quarantine.pass_unread(at, end)

    async def _fold(self, interval: Interval) -> Answer:
        changes: dict[str, bytes | None] = {}
        rejected: list[tuple[LogRecord, Reject]] = []
        for record in interval.records:
            reject = self._fault(record)
            if reject is not None:
                rejected.append((record, reject))
            else:
                changes[(record.key or b"").decode()] = record.value
        if rejected:
            await self._publisher.publish([self._dead_letter(record, reject) for record, reject in rejected])
        last = mark_of(interval.records[-1]) if interval.records else None
        batch = TableBatch(interval.start, interval.end, changes, last, self._now_ms())
        answer = await fold_table(self._shard, self._log, batch)
        if answer.applied:
            for _, reject in rejected:
                self._rejected(self._log, reject)
        return answer

    def _dead_letter(self, record: LogRecord, reject: Reject) -> Message:
        return dead_letter(self._dead_letters, self._topic, self._shard.number, record, reject)

    def _fault(self, record: LogRecord) -> Reject | None:
        try:
            if not record.key:
                return Reject(RejectReason.INVALID_EVENT, "the record has no key")
            home = partition_of(record.key.decode(), self._partitions)
            if home != self._shard.number:
                return Reject(RejectReason.INVALID_EVENT, _MISPLACED.format(home, self._shard.number))
            if record.value is not None:
                _RECORDS[self._log].model_validate_json(record.value)
        except ValidationError as error:
            return Reject(RejectReason.INVALID_EVENT, str(error.errors(include_url=False)[0]["msg"]))
        except UnicodeDecodeError:
            return Reject(RejectReason.INVALID_EVENT, "the key is not UTF-8")
        except Exception as error:
            return unreadable(error)
        return None
