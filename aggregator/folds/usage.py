"""The fold of the usage log into one shard."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aggregator.folds.dead_letters import dead_letter
from aggregator.folds.fold import FoldStanding
from aggregator.folds.pruning import Pruning
from aggregator.folds.quarantine import Orders, Quarantine
from aggregator.folds.rerouting import rerouted_copy
from aggregator.publisher import Message, Publisher
from ledger.answer import Answer, Verdict
from ledger.shard import Shard
from ledger.state import Log, note_beginning, open_shard
from ledger.usage import apply_usage, drop_block
from metering.append_time import MAX_AHEAD_MS, ahead_message, split_ahead
from metering.counting import Interval, Misplaced, UsageBatch, usage_batches
from metering.dedupe import DedupeWindow
from metering.limits import MAX_PAST_MS
from metering.origin import Place
from metering.outage import WINDOW_RECORDS, RejectWindow
from metering.sources import source_of
from metering.stop import ShardStoppedError, StopReason
from runtime.clock import SystemClock

CLOCK = SystemClock()
SHOWN_SOURCES, SHOWN_CHARACTERS = 3, 200


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
        folded: Folded = lambda *_: None,
        now_ms: Callable[[], int] = CLOCK.now_ms,
        orders: Orders = tuple,
        passed: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`folded` is told of every batch that was counted.

        `orders` gives what is to be passed by, `passed` is told how many offsets were.
        """
        self._now_ms = now_ms
        self._shard = shard
        self._topics = topics
        self._partitions = partitions
        self._publisher = publisher
        self._make_incarnation = make_incarnation
        self._high_ms = 0
        self._folded = folded
        self._window = DedupeWindow()
        self._rejects = RejectWindow()
        self._folded_before = 0
        self._judged_before = 0
        self._begins_late = False  # whether the log's head was cut, and its first record is still to come
        self._pruning = Pruning(shard, 0)
        own = (topics.usage, topics.dead_letters)
        self._quarantine = Quarantine(shard, Log.USAGE, own, publisher, orders, passed)

    async def open(self, earliest: int, folded_before: int = 0) -> FoldStanding:
        """Where the shard stands. What lies below `folded_before` was folded in an earlier life of the state."""
        state = await open_shard(
            self._shard,
            Log.USAGE,
            earliest=earliest,
            incarnation=self._make_incarnation(),
            may_be_cut=True,
        )
        self._begins_late = Log.USAGE in state.cut and state.begins_ms is None and not state.conservation.read
        self._high_ms, self._window, self._rejects = state.high_ms, state.window, state.rejects
        self._pruning = Pruning(self._shard, state.pruned)
        self._folded_before = folded_before
        self._judged_before = max(folded_before, state.drain.until if state.drain else 0)
        return FoldStanding(state.fences[Log.USAGE], state.marks.get(Log.USAGE), state.stops.get(Log.USAGE))

    async def apply(self, interval: Interval) -> Answer:
        """Counts an interval: nearly always in one call, in two where a dedupe block ends inside it.

        What is rejected or belongs elsewhere is written and acknowledged before the fence may pass it. What a person
        has ordered to be passed by is not counted.

        Raises:
            ShardStoppedError: a record was appended too far ahead of this machine's clock, or nearly all is rejected;
                what lies before is counted.
        """
        if self._begins_late and interval.records:
            await note_beginning(self._shard, interval.start, interval.records[0].timestamp)
            self._begins_late = False
        answer = Answer(Verdict.STALE, None)
        for piece, order in self._quarantine.pieces(interval):
            counting = self._count(piece) if order is None else self._quarantine.pass_by(piece, order)
            answer = await counting
            if not answer.applied:
                break
        return answer

    async def pass_unread(self, at: int, end: int | None) -> Answer | None:
        """Passes by what can't be read from `at`, up to `end` where that is known; None if nobody has ordered that."""
        return await self._quarantine.pass_unread(at, end)

    async def _count(self, interval: Interval) -> Answer:
        answer = Answer(Verdict.STALE, None)
        for batch in usage_batches(
            interval,
            partition=self._shard.number,
            partitions=self._partitions,
            high_ms=self._high_ms,
            set_groups=self._window.groups(),
        ):
            answer = await self._apply_now(batch)
            if not answer.applied:
                break
        return answer

    async def _apply_now(self, batch: UsageBatch) -> Answer:
        """Counts a batch; of one with a record from the future what lies before that."""
        now_ms = self._now_ms()
        ahead = None
        if batch.high_ms > now_ms + MAX_AHEAD_MS:  # or an earlier record is, counted before this clock was set back
            ahead = split_ahead(Interval(batch.start, batch.end, batch.records), now_ms)
        if ahead is None:
            return await self._apply_batch(batch)
        before, record = ahead
        if before.end > before.start:
            answer = await self._count(before)
            if not answer.applied:
                return answer
        message = ahead_message(f"{self._topics.usage}-{self._shard.number}", record, now_ms)
        raise ShardStoppedError(StopReason.APPENDED_AHEAD, record.offset, message, end=record.offset + 1)

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
            # Whichever clock is behind: what is removed by one that is ahead can't be counted again.
            await self._pruning.step(at=batch.end, append_ms=min(batch.high_ms, self._now_ms()))
        return answer

    def _rejects_after(self, batch: UsageBatch) -> RejectWindow:
        """The reject window after a batch. A refold of what was judged before doesn't count, nor what is let drain.

        Raises:
            ShardStoppedError: nearly all is rejected, whoever it comes from.
        """
        if batch.start < self._judged_before or not batch.read:
            return self._rejects
        sources = [source_of(record) for record, _ in batch.rejected]
        rejects = self._rejects.with_batch(batch.read, sources)
        if rejects.is_outage():
            raise self._outage(batch, sources)
        return rejects

    def _outage(self, batch: UsageBatch, sources: Sequence[str]) -> ShardStoppedError:
        shard, (record, reject) = self._shard.number, batch.rejected[-1]
        names = ", ".join(f"{name!r}" for name, _ in Counter(sources).most_common(SHOWN_SOURCES))
        return ShardStoppedError(
            StopReason.REJECTS,
            batch.start,
            f"{self._topics.usage}-{shard}: nearly all of the last {WINDOW_RECORDS} records are rejected, of several "
            f"sources ({names}), at offset {record.offset} because of {reject.reason} "
            f"({reject.detail[:SHOWN_CHARACTERS]!r}). Is it the aggregator that is wrong? Then mend it, and the shard "
            f"goes on. Are the producers? Then `billing drain {shard} --why ...` lets what is there drain into the "
            "dead letters (docs/operating/stopped-shards.md)",
        )

    def _outgoing(self, batch: UsageBatch) -> list[Message]:
        topics, partition = self._topics, self._shard.number
        place = Place(topics.usage, partition)
        return [
            dead_letter(topics.dead_letters, topics.usage, partition, record, reject)
            for record, reject in batch.rejected
        ] + [
            rerouted_copy(place, misplaced, topics.dead_letters)
            for misplaced in batch.misplaced
            if not self._was_copied(misplaced)
        ]

    def _was_copied(self, misplaced: Misplaced) -> bool:
        """Whether a copy was made in an earlier life of the state, and another one could only come too late."""
        return (
            misplaced.record.offset < self._folded_before
            and self._now_ms() - misplaced.time * 1000 > MAX_PAST_MS  # of its own append time, which is about now
        )
