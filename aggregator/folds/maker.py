"""Makes the fold of a partition: which log it is, and everything that its fold needs."""

from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from aiokafka import TopicPartition

from aggregator.folds.fold import Fold
from aggregator.folds.table import TableFold
from aggregator.folds.usage import UsageFold, UsageTopics
from aggregator.metrics import AggregatorMetrics
from aggregator.publisher import Publisher
from ledger.shard import Ledger
from ledger.state import Log
from metering.quarantine import QuarantineOrders
from runtime.topics import TopicNames


@dataclass(frozen=True, slots=True)
class FoldMaker:
    """The folds of one process; they share its publisher, its metrics, and what it knows of orders."""

    names: TopicNames
    ledger: Ledger
    publisher: Publisher
    metrics: AggregatorMetrics
    orders: QuarantineOrders

    def make(self, tp: TopicPartition) -> Fold:
        """A fresh fold, which knows nothing of its shard yet."""
        self.metrics.positioned()
        return self._usage(tp) if tp.topic == self.names.usage else self._table(tp)

    def _usage(self, tp: TopicPartition) -> Fold:
        return UsageFold(
            self.ledger.shard(tp.partition),
            UsageTopics(self.names.usage, self.names.dead_letters),
            self.ledger.partitions,
            self.publisher,
            _incarnation,
            folded=self.metrics.folded,
            orders=partial(self.orders.of, *tp),
            passed=self.metrics.passed_by,
        )

    def _table(self, tp: TopicPartition) -> Fold:
        return TableFold(
            self.ledger.shard(tp.partition),
            Log.ACCOUNTS if tp.topic == self.names.accounts else Log.API_KEYS,
            (tp.topic, self.names.dead_letters),
            self.ledger.partitions,
            self.publisher,
            _incarnation,
            rejected=self.metrics.table_rejected,
            orders=partial(self.orders.of, *tp),
        )


def _incarnation() -> str:
    return uuid4().hex
