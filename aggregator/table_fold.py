"""The folds of the compacted logs, accounts and API keys, into one shard."""

from collections.abc import Callable

from pydantic import ValidationError

from aggregator.dead_letters import dead_letter
from aggregator.fold import Standing
from aggregator.publisher import Message, Publisher
from ledger.answer import Answer
from ledger.shard import Shard
from ledger.state import Log, open_shard
from ledger.tables import TableBatch, fold_table
from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.counting import Interval, LogRecord, mark_of
from metering.partition import partition_of
from metering.reject import Reject, RejectReason

_MISPLACED = "the record's key belongs to partition {}, it was found on {}: write it with Kafka's murmur2 partitioner"
_RECORDS: dict[Log, type[Account] | type[ApiKeyRecord]] = {Log.ACCOUNTS: Account, Log.API_KEYS: ApiKeyRecord}


class TableFold:
    """Keeps the last valid record of each key; a record without a value (a tombstone) removes it.

    A record that can't be read, or lies on another partition than its key's, becomes a dead letter and the key keeps
    what it had (decisions 0006 and 0012).
    """

    def __init__(
        self,
        shard: Shard,
        log: Log,
        topics: tuple[str, str],
        partitions: int,
        publisher: Publisher,
        make_incarnation: Callable[[], str],
        rejected: Callable[[Log, Reject], None] = lambda *_: None,
    ) -> None:
        """`topics` are the table's own and the dead letters'; `rejected` is told of every dead letter."""
        self._shard = shard
        self._log = log
        self._topic, self._dead_letters = topics
        self._partitions = partitions
        self._publisher = publisher
        self._make_incarnation = make_incarnation
        self._rejected = rejected

    async def open(self, earliest: int, folded_before: int = 0) -> Standing:  # noqa: ARG002 - tables have no window
        """Where the shard stands."""
        state = await open_shard(self._shard, self._log, earliest=earliest, incarnation=self._make_incarnation())
        return Standing(state.fences[self._log], state.marks.get(self._log))

    async def apply(self, interval: Interval) -> Answer:
        """Folds an interval."""
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
        answer = await fold_table(self._shard, self._log, TableBatch(interval.start, interval.end, changes, last))
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
        return None
