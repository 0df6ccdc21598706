"""When rejects are an outage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.outage import STOP_RATIO, WINDOW_RECORDS, RejectWindow

BATCHES = st.lists(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=40)


def window(*batches: tuple[int, int]) -> RejectWindow:
    """The window after some batches of (records, rejected)."""
    result = RejectWindow()
    for records, rejected in batches:
        result = result.with_batch(records, rejected)
    return result


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([], False),
        ([(9_999, 9_999)], False),
        ([(10_000, 10_000)], True),
        ([(10_000, 9_500)], True),
        ([(10_000, 9_499)], False),
        ([(5_000, 0), (5_000, 5_000)], False),
        ([(5_000, 0), (5_000, 5_000), (5_000, 5_000)], True),
        ([(1, 1)] * 10_000, True),
    ],
)
def test_an_outage_is_a_full_window_of_rejects(batches: list[tuple[int, int]], expected: bool) -> None:
    """95 % of the last 10,000 records or more; what is older counts no longer, and fewer never trip it."""
    assert window(*batches).is_outage(STOP_RATIO) is expected


def test_a_ratio_of_one_lets_it_go_on() -> None:
    """An operator can let a log of rejects drain."""
    assert not window((20_000, 20_000)).is_outage(1.0)


@given(BATCHES)
def test_a_window_survives_being_written_down(batches: list[tuple[int, int]]) -> None:
    """It lives beside the fence, so that a restart forgets nothing."""
    before = window(*batches)
    assert str(RejectWindow.parse(str(before))) == str(before)


@given(BATCHES)
def test_a_window_stays_small(batches: list[tuple[int, int]]) -> None:
    """However long the log, it holds little more than it must."""
    text = str(window(*batches))
    held = [int(chunk.split(":")[0]) for chunk in text.split(",") if chunk]
    assert sum(held[1:]) < WINDOW_RECORDS
    assert len(held) <= 22
