"""The chains of intervals: what comes next of each partition, and whether the log is still the one that was folded.

Offsets may jump legally (control records, aborted transactions, compaction): an interval's end is the client's
position after the read, so the chain of intervals has no holes, and an illegal hole can't be applied at all.

A chain begins one record before its fence, where the log may still have it: at the last record that was folded, which
must be the very same (see `log_check.check_mark`). It looks back in the same way whenever the log may have become
another one. It ends before what can't be read: its last interval says why, and the other partitions go on.
"""

from collections.abc import Iterable, Mapping, Sequence, Set

from aiokafka import TopicPartition

from aggregator.log_check import check_mark
from aggregator.partition_batch import ChainLink, PartitionBatch
from metering.counting import Interval, LogRecord, mark_of
from metering.stop import ShardStoppedError, StopReason
from runtime.record_batch import UnreadableBatchError


class Chains:
    """Bookkeeping, touched by the reader alone. `links` has each partition that is read, and where its chain goes on.

    The reader seeks where `look_back` says, and shows `next_batch` what it has read since.
    """

    def __init__(self, compacted: Set[str]) -> None:
        """`compacted` are the topics whose records may be gone by compaction."""
        self._compacted = compacted
        self.links: dict[TopicPartition, ChainLink] = {}
        self._unsure: set[TopicPartition] = set()  # their next read begins with the last record before their link

    def begin(self, links: Mapping[TopicPartition, ChainLink]) -> dict[TopicPartition, int]:
        """Begins new chains; returns the offset that the reader must seek to, for each."""
        self.links.update(links)
        return self.look_back(links)

    def look_back(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Has the last record that was folded be compared again; returns the offsets that the reader must seek to."""
        offsets = {}
        for tp in tps:
            offset, _, last = self.links[tp]
            offsets[tp] = offset if last is None else last.offset
            (self._unsure.discard if last is None else self._unsure.add)(tp)
        return offsets

    def end(self, tp: TopicPartition, generation: int) -> bool:
        """Ends a chain, unless another has begun there since that generation; returns whether none is left."""
        link = self.links.get(tp)
        if link is not None and link.generation > generation:
            return False
        self.links.pop(tp, None)
        return True

    def clear(self) -> None:
        """Ends all chains: the partitions are revoked."""
        self.links.clear()

    def next_batch(
        self,
        tp: TopicPartition,
        records: Sequence[LogRecord],
        position: int | None,
        unreadable: UnreadableBatchError | None = None,
    ) -> PartitionBatch | None:
        """What comes next of a chain.

        Args:
            tp: the partition.
            records: what was read since the last call.
            position: the reader's, right after that read; None where it has none yet.
            unreadable: what the reader could not read on for.

        Returns:
            The interval up to the position; None where nothing was read. A chain with a fault has ended.
        """
        link, fault = self.links[tp], None
        end = max(link.offset, position or 0)
        try:
            records = self._compared(tp, link, records, position)
            if unreadable is not None:
                fault = _stopped(tp, end, unreadable)
        except ShardStoppedError as stopped:
            records, end, fault = (), link.offset, stopped
        if fault is not None:
            del self.links[tp]  # nothing more is read of it until another begins
        elif end == link.offset:
            return None
        else:
            self.links[tp] = ChainLink(end, link.generation, mark_of(records[-1]) if records else link.last)
        return PartitionBatch(tp, Interval(link.offset, end, records), link.generation, fault)

    def passes_by(self, tp: TopicPartition, unreadable: UnreadableBatchError) -> bool:
        """Whether a batch that can't be read need not be: it was folded, or a person has let the shard pass it by."""
        link = self.links.get(tp)
        if link is None or unreadable.end is None or unreadable.end > link.offset:
            return False
        if link.last is not None and link.last.offset < unreadable.end:
            self.links[tp] = link._replace(last=None)  # nothing can be compared
        return True

    def _compared(
        self, tp: TopicPartition, link: ChainLink, records: Sequence[LogRecord], end: int | None
    ) -> Sequence[LogRecord]:
        """The records from the link on; those before are compared with the mark and left out."""
        last = link.last
        first = link.offset - 1 if last is None else last.offset
        if tp not in self._unsure or end is None or end <= first:
            return records
        self._unsure.discard(tp)
        if last is not None:
            found = records[0] if records else None
            check_mark(tp.topic, tp.partition, last, found, compacted=tp.topic in self._compacted)
        return [record for record in records if record.offset >= link.offset]


def _stopped(tp: TopicPartition, offset: int, unreadable: UnreadableBatchError) -> ShardStoppedError:
    message = (
        f"{unreadable.at(tp.topic, tp.partition)}. `billing quarantine {tp.partition} {offset} --why ...` passes it by "
        "(docs/operating/unreadable-batches.md)"
    )
    return ShardStoppedError(StopReason.UNREADABLE_BATCH, offset, message, end=unreadable.end)
