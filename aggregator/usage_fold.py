"""The fold of the usage log into one shard."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aggregator.dead_letters import dead_letter
from aggregator.fold import Standing
from aggregator.publisher import Message, Publisher
from aggregator.rerouting import rerouted_copy
from ledger.answer import Answer, Verdict
from ledger.shard import Shard
from ledger.state import Log, open_shard
from ledger.usage import apply_usage, drop_block
from metering.counting import Interval, UsageBatch, usage_batches
from metering.dedupe import DedupeWindow
from metering.outage import STOP_RATIO, WINDOW_RECORDS, RejectOutageError, RejectWindow
from metering.retention import closed_before
from runtime.clock import SystemClock

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class UsageTopics:
    """The log that is counted, and where its rejects go."""

    usage: str
    dead_letters: str


# A batch, how many of its identities the state knew already, and the seconds it took.
Folded = Callable[[UsageBatch, int, float], None]


class UsageFold:
    """Counts one partition. Between calls it remembers what the last answer said of the shard's dedupe blocks.

    That memory is as good as the fence: an answer other than APPLIED makes the consumer open the shard again.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - collaborators, wired once
        self,
        shard: Shard,
        topics: UsageTopics,
        partitions: int,
        publisher: Publisher,
        make_incarnation: Callable[[], str],
        stop_ratio: float = STOP_RATIO,
        folded: Folded = lambda *_: None,
        now_ms: Callable[[], int] = CLOCK.now_ms,
    ) -> None:
        """`stop_ratio` is the share of rejects that is an outage; `folded` is told of every batch that was counted."""
        self._now_ms = now_ms
        self._shard = shard
        self._topics = topics
        self._partitions = partitions
        self._publisher = publisher
        self._make_incarnation = make_incarnation
        self._high_ms = 0
        self._stop_ratio = stop_ratio
        self._folded = folded
        self._window = DedupeWindow()
        self._rejects = RejectWindow()
        self._folded_before = 0

    async def open(self, earliest: int, folded_before: int = 0) -> Standing:
        """Where the shard stands. What lies below `folded_before` was folded in an earlier life of the state."""
        state = await open_shard(
            self._shard,
            Log.USAGE,
            earliest=earliest,
            incarnation=self._make_incarnation(),
            closed_before=closed_before(self._now_ms() // 1000),
        )
        self._high_ms, self._window, self._rejects = state.high_ms, state.window, state.rejects
        self._folded_before = folded_before
        return Standing(state.fences[Log.USAGE], state.marks.get(Log.USAGE))

    async def apply(self, interval: Interval) -> Answer:
        """Counts an interval: nearly always in one call, in two where a dedupe block ends inside it.

        What is rejected or belongs elsewhere is written and acknowledged before the fence may pass it.
        """
        answer = Answer(Verdict.STALE, None)
        for batch in usage_batches(
            interval,
            partition=self._shard.number,
            partitions=self._partitions,
            high_ms=self._high_ms,
            set_groups=self._window.groups(),
        ):
            answer = await self._apply_batch(batch)
            if not answer.applied:
                break
        return answer

    async def _apply_batch(self, batch: UsageBatch) -> Answer:
        since, rejects = time.perf_counter(), self._rejects_after(batch)
        outgoing = self._outgoing(batch)
        if outgoing:
            await self._publisher.publish(outgoing)
        answer = await apply_usage(self._shard, batch, self._window, rejects)
        if answer.applied:
            self._rejects = rejects
            self._folded(batch, answer.value, time.perf_counter() - since)
            remembered = batch.members - answer.value
            self._high_ms = batch.high_ms
            self._window.remember(batch.block, remembered)
            for block, sets in self._window.expired(batch.block).items():
                await drop_block(self._shard, block, sets, at=batch.end)
                self._window.forget(block)
        return answer

    def _rejects_after(self, batch: UsageBatch) -> RejectWindow:
        """The reject window after a batch. A refold of what was judged before doesn't count."""
        if batch.start < self._folded_before or not batch.read:
            return self._rejects
        rejects = self._rejects.with_batch(batch.read, len(batch.rejected))
        if rejects.is_outage(self._stop_ratio):
            example = batch.rejected[-1]
            raise RejectOutageError(
                f"{self._topics.usage}-{self._shard.number}: nearly all of the last {WINDOW_RECORDS} records were "
                f"rejected, at offset {example.record.offset} because of {example.reject.reason} "
                f"({example.reject.detail}). Mend the producer; to let what is there drain into the dead letters, "
                "start with BILLING_REJECT_STOP_RATIO=1"
            )
        return rejects

    def _outgoing(self, batch: UsageBatch) -> list[Message]:
        topics, partition = self._topics, self._shard.number
        return [
            dead_letter(topics.dead_letters, topics.usage, partition, record, reject)
            for record, reject in batch.rejected
        ] + [rerouted_copy(topics.usage, partition, misplaced) for misplaced in batch.misplaced]
