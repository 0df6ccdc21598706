"""Unix seconds as RFC 3339, and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.rfc3339 import PATTERN, from_unix, to_unix


@given(st.integers(0, 253_402_300_799))
def test_a_second_is_written_and_read_back(second) -> None:
    """From 1970 to the last second of the year 9999."""
    assert re.match(PATTERN, from_unix(second))
    assert to_unix(from_unix(second)) == second


@pytest.mark.parametrize(("second", "text"), [(0, "1970-01-01T00:00:00Z"), (1_709_164_800, "2024-02-29T00:00:00Z")])
def test_times_are_written_in_utc(second, text) -> None:
    """With a Z."""
    assert from_unix(second) == text
