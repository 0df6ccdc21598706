"""A fence and its log: what stops the worker before it would miss usage."""

import pytest

from aggregator.positions import LogBounds, LogLostError, check_fence


@pytest.mark.parametrize("fence", [5, 6, 10])
def test_a_fence_within_the_log_is_fine(fence) -> None:
    """From the first record that is left to the end."""
    check_fence("usage.events-3", fence, LogBounds(5, 10))


def test_an_empty_log_is_fine_at_its_end() -> None:
    """Also one whose records have all expired."""
    check_fence("usage.events-3", 0, LogBounds(0, 0))
    check_fence("usage.events-3", 10, LogBounds(10, 10))


@pytest.mark.parametrize(("fence", "message"), [(11, "truncated or recreated"), (4, "retention deleted 1 offsets")])
def test_a_fence_outside_the_log_is_an_error_that_says_what_happened(fence, message) -> None:
    """And which partition, and what to do."""
    with pytest.raises(LogLostError, match=message) as error:
        check_fence("usage.events-3", fence, LogBounds(5, 10))
    assert "usage.events-3" in str(error.value)
    assert "fold again" in str(error.value)
