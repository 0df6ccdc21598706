"""The dedupe window: blocks of seven days, and how many sets each gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.counting import Interval, usage_batches
from metering.dedupe import BLOCK_MS, DedupeWindow, block_of, oldest_block, sets_for
from metering.limits import MAX_FUTURE_MS, MAX_PAST_MS


@given(st.integers(0, 2**42))
def test_the_window_is_longer_than_an_event_may_be_late(append_ms) -> None:
    """Two records of one event are at most its bounds apart: the second still finds the first one's block."""
    latest_repetition = append_ms + MAX_PAST_MS + MAX_FUTURE_MS

    assert block_of(append_ms) >= oldest_block(block_of(latest_repetition))


def test_a_block_is_seven_days_of_append_time() -> None:
    """To the millisecond."""
    assert [block_of(ms) for ms in (0, BLOCK_MS - 1, BLOCK_MS)] == [0, 0, 1]
    assert BLOCK_MS == 7 * 86_400_000


@pytest.mark.parametrize(
    ("members", "sets"), [(0, 256), (256 * 4096, 256), (256 * 4096 + 1, 512), (16_777_217, 8192), (10**9, 262_144)]
)
def test_a_block_gets_sets_by_the_size_of_the_block_before(members, sets) -> None:
    """A power of two, at most 4,096 members each: it may grow to twice that and its sets stay intsets."""
    assert sets_for(members) == sets


def test_a_block_keeps_the_sets_it_was_opened_with() -> None:
    """However its predecessor grows on: members would be looked up in other sets than they are in."""
    window = DedupeWindow({7: 256}, {7: 10})
    window.remember(8, 5)
    window.remember(7, 10**9)

    assert window.sets_of(8) == 256
    assert window.members[8] == 5


def test_lookups_reach_five_blocks_back() -> None:
    """And older ones expire."""
    window = DedupeWindow(dict.fromkeys(range(10, 20), 256), {})

    assert list(window.earlier(20)) == [15, 16, 17, 18, 19]
    assert list(window.expired(20)) == [10, 11, 12, 13, 14]
    window.forget(10)
    assert 10 not in window.expired(20)


def test_an_idle_time_leaves_holes_in_the_window() -> None:
    """Only blocks that were ever opened are looked up."""
    assert DedupeWindow({3: 256, 4: 512}, {}).earlier(9) == {4: 512}


@given(st.dictionaries(st.integers(0, 12), st.integers(0, 50_000_000), max_size=8), st.integers(0, 13))
def test_members_grouped_once_are_grouped_for_every_block(members, block) -> None:
    """A group's members share one set in each block that is looked up, the block that is filled included."""
    window = DedupeWindow()
    for number, count in sorted(members.items()):
        window.remember(number, count)
    groups = window.groups()

    for sets in (window.sets_of(block), *window.earlier(block).values()):
        assert groups % sets == 0


@given(st.integers(0, 6_000))
def test_a_block_that_opens_within_an_interval_fits_the_interval_s_groups(added) -> None:
    """The groups are chosen before the interval's first half may push the block over the edge to more sets."""
    window = DedupeWindow()
    window.remember(7, 256 * 4096 - 3_000)
    groups = window.groups()

    window.remember(7, added)

    assert groups % window.sets_of(8) == 0


def test_an_interval_without_records_stays_in_its_block() -> None:
    """Control records alone open nothing new."""
    (batch,) = usage_batches(Interval(4, 9, ()), partition=0, partitions=1, high_ms=3 * BLOCK_MS, set_groups=256)

    assert (batch.start, batch.end, batch.block, batch.read, batch.last) == (4, 9, 3, 0, None)
