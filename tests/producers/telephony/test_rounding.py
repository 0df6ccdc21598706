"""Call rounding: rate sheets' own examples, and what holds for every rounding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_billing_producers.telephony import FULL_MINUTES, PER_SECOND, SIX_SECONDS, THIRTY_SIX, Rounding

ROUNDINGS = st.builds(Rounding, st.integers(1, 120), st.integers(1, 120))
DURATIONS = st.integers(0, 100_000)


@pytest.mark.parametrize(
    ("rounding", "charged"),
    [
        (FULL_MINUTES, {0: 0, 1: 60, 59: 60, 60: 60, 61: 120, 120: 120, 121: 180}),
        (THIRTY_SIX, {0: 0, 1: 30, 30: 30, 31: 36, 36: 36, 37: 42, 61: 66}),
        (SIX_SECONDS, {0: 0, 1: 6, 6: 6, 7: 12, 61: 66}),
        (PER_SECOND, {0: 0, 1: 1, 61: 61, 0.2: 1, 60.1: 61}),
        (Rounding(60, 1), {1: 60, 60: 60, 61: 61}),
    ],
)
def test_a_call_is_charged_for_so_many_seconds(rounding: Rounding, charged: dict[float, int]) -> None:
    """A started second, and a started increment, count as whole ones."""
    assert {duration: rounding.seconds(duration) for duration in charged} == charged


@given(ROUNDINGS, DURATIONS)
def test_no_less_than_it_lasted_and_less_than_an_increment_more(rounding: Rounding, duration: int) -> None:
    """Beyond the minimum, in whole increments; and rounding twice changes nothing."""
    charged = rounding.seconds(duration)

    if duration == 0:
        assert charged == 0
    else:
        assert charged >= max(duration, rounding.minimum)
        assert (charged - rounding.minimum) % rounding.increment == 0
        assert charged - max(duration, rounding.minimum) < rounding.increment
        assert rounding.seconds(charged) == charged


@given(ROUNDINGS, DURATIONS, DURATIONS)
def test_a_longer_call_never_costs_less(rounding: Rounding, first: int, second: int) -> None:
    """For every rounding."""
    assert (rounding.seconds(first) <= rounding.seconds(second)) or first > second


@pytest.mark.parametrize("bad", [(0, 1), (1, 0), (-1, 6), (1.5, 1), (True, 1)])
def test_a_rounding_is_of_whole_seconds(bad: tuple[int, int]) -> None:
    """From 1 on."""
    with pytest.raises(ValueError, match="whole number of seconds"):
        Rounding(*bad)


@pytest.mark.parametrize("duration", [-1, float("nan"), float("inf")])
def test_a_duration_is_a_number_of_seconds(duration: float) -> None:
    """From 0 on."""
    with pytest.raises(ValueError, match="number of seconds"):
        FULL_MINUTES.seconds(duration)
