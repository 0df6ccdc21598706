"""A fence and its log: what stops the worker before it would miss usage."""

import pytest

from aggregator.log_check import LogBounds, check_fence, check_mark, mark_to_compare
from metering.counting import Mark, mark_of
from metering.stop import ShardStoppedError, StopReason
from tests.metering.events import NOON_MS, Record


@pytest.mark.parametrize("fence", [5, 6, 10])
def test_a_fence_within_the_log_is_fine(fence) -> None:
    """From the first record that is left to the end."""
    check_fence("usage.events", 3, fence, LogBounds(5, 10))


def test_an_empty_log_is_fine_at_its_end() -> None:
    """Also one whose records have all expired."""
    check_fence("usage.events", 3, 0, LogBounds(0, 0))
    check_fence("usage.events", 3, 10, LogBounds(10, 10))


@pytest.mark.parametrize(("fence", "message"), [(11, "truncated or recreated"), (4, "retention deleted 1 offsets")])
def test_a_fence_outside_the_log_is_an_error_that_says_what_happened(fence, message) -> None:
    """And which partition, and what to do."""
    with pytest.raises(ShardStoppedError, match=message) as error:
        check_fence("usage.events", 3, fence, LogBounds(5, 10))
    assert "usage.events-3" in str(error.value)
    assert "billing rebuild --shard 3" in str(error.value)
    assert (error.value.reason, error.value.offset) == (StopReason.LOG_LOST, fence)


FOLDED = Record(7, b"value", NOON_MS, b"key")
MARK = mark_of(FOLDED)
OTHERS = [
    Record(7, b"another", NOON_MS, b"key"),
    Record(7, b"value", NOON_MS, b"another"),
    Record(7, b"value", NOON_MS + 1, b"key"),
]


@pytest.mark.parametrize("compacted", [True, False])
def test_the_record_that_was_folded_is_recognised(compacted) -> None:
    """By its offset, append time and CRC."""
    check_mark("usage.events", 3, MARK, FOLDED, compacted=compacted)


@pytest.mark.parametrize("found", OTHERS)
@pytest.mark.parametrize("compacted", [True, False])
def test_another_record_at_its_offset_is_an_error_that_says_what_happened(found, compacted) -> None:
    """Where, and what to do; a key, a value or a time that differs is enough."""
    with pytest.raises(ShardStoppedError, match="truncated or recreated") as error:
        check_mark("usage.events", 3, MARK, found, compacted=compacted)
    for said in ("usage.events-3", "offset 7", "billing rebuild --shard 3", "docs/operating/lost-logs.md"):
        assert said in str(error.value)


@pytest.mark.parametrize("found", [None, Record(9, b"later", NOON_MS)])
def test_a_record_that_is_missing_is_an_error_unless_compaction_may_have_removed_it(found) -> None:
    """A log that deletes loses its head only, and the offset is known to be behind that."""
    check_mark("billing.accounts", 3, MARK, found, compacted=True)
    with pytest.raises(ShardStoppedError, match="no record at offset 7"):
        check_mark("usage.events", 3, MARK, found, compacted=False)


@pytest.mark.parametrize("append_ms", [-1, 2**63 - 1])
def test_any_timestamp_can_be_named(append_ms) -> None:
    """The tables' records have their producers' clocks."""
    with pytest.raises(ShardStoppedError):
        check_mark("billing.accounts", 3, Mark(7, append_ms, 0), Record(7, b"", append_ms), compacted=True)


def test_what_retention_has_deleted_is_not_compared() -> None:
    """The fence itself may be the log's new beginning."""
    assert mark_to_compare(MARK, LogBounds(7, 10)) == MARK
    assert mark_to_compare(MARK, LogBounds(8, 10)) is None
    assert mark_to_compare(None, LogBounds(0, 10)) is None
