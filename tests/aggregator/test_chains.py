"""Chains: which interval follows, and whether the log is still the one that was folded."""

import pytest
from aiokafka import TopicPartition

from aggregator.chains import Chains
from aggregator.partition_batch import ChainLink, PartitionBatch
from metering.counting import Interval, mark_of
from metering.stop import StopReason
from runtime.record_batch import UnreadableBatchError
from tests.metering.events import Record

USAGE = TopicPartition("usage.events", 0)
OTHER = TopicPartition("usage.events", 1)
TABLE = TopicPartition("billing.accounts", 0)

FOLDED = Record(97, b"folded", 1000, b"key")
NEXT = Record(100, b"next", 1001, b"key")
LINK = ChainLink(100, 1, mark_of(FOLDED))  # 98 and 99 were control records


@pytest.fixture
def chains() -> Chains:
    """Chains that have just begun where the record before was folded, and control records followed."""
    chains = Chains({TABLE.topic})
    assert chains.begin({USAGE: LINK, TABLE: LINK}) == {USAGE: 97, TABLE: 97}
    return chains


@pytest.mark.parametrize(("records", "end"), [([FOLDED], 98), ([FOLDED, NEXT], 101), ([FOLDED], 100)])
def test_a_chain_begins_with_the_record_before_it(chains: Chains, records, end) -> None:
    """However much comes in the first read: it is compared, and not folded again."""
    read = [record for record in records if record is NEXT]
    batch = chains.next_batch(USAGE, records, end)
    assert batch == (PartitionBatch(USAGE, Interval(100, 101, read), 1) if read else None)

    if batch is None:
        assert chains.next_batch(USAGE, [NEXT], 101) == PartitionBatch(USAGE, Interval(100, 101, [NEXT]), 1)


def test_what_was_not_read_yet_is_not_compared_yet(chains: Chains) -> None:
    """A read that gave nothing says nothing."""
    for end in (None, 97):
        assert chains.next_batch(USAGE, (), end) is None
    assert chains.next_batch(USAGE, [NEXT], 101).fault is not None


def test_compaction_may_have_removed_what_a_chain_would_begin_with(chains: Chains) -> None:
    """Of a table's log, and of that alone."""
    assert chains.next_batch(TABLE, [NEXT], 101) == PartitionBatch(TABLE, Interval(100, 101, [NEXT]), 1)
    assert "no record at offset 97" in str(chains.next_batch(USAGE, [NEXT], 101).fault)


def test_a_chain_ends_where_the_log_is_another(chains: Chains) -> None:
    """The fault comes in the place of what was read; nothing is read on."""
    batch = chains.next_batch(USAGE, [NEXT], 101)

    assert batch.interval == Interval(100, 100, ())
    assert batch.fault.reason is StopReason.LOG_LOST
    assert chains.links.keys() == {TABLE}


def test_a_chain_looks_back_on_what_was_folded_last(chains: Chains) -> None:
    """To the last record of its last interval; a chain that has folded none goes on from its link."""
    chains.next_batch(USAGE, [FOLDED, NEXT], 105)
    chains.begin({OTHER: ChainLink(7, 1)})

    assert chains.look_back({USAGE, OTHER}) == {USAGE: 100, OTHER: 7}
    assert chains.next_batch(USAGE, [NEXT], 106) == PartitionBatch(USAGE, Interval(105, 106, []), 1)


def test_a_chain_that_began_after_a_stop_outlives_it(chains: Chains) -> None:
    """A stop is told late: it ends the chains of its generation and of older ones."""
    chains.begin({USAGE: ChainLink(100, 2)})
    assert not chains.end(USAGE, 1)
    assert USAGE in chains.links

    assert chains.end(USAGE, 2)
    assert USAGE not in chains.links


@pytest.mark.parametrize(("end", "passed"), [(100, True), (101, False), (None, False)])
def test_what_lies_before_a_chain_need_not_be_readable(chains: Chains, end, passed) -> None:
    """It was folded, or a person has let the shard pass it by; then there is nothing to compare."""
    assert chains.passes_by(USAGE, UnreadableBatchError(98, end, "broken")) is passed
    assert (chains.links[USAGE].last is None) is passed
