"""Unix seconds as RFC 3339, and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.rfc3339 import FIRST_SECOND, LAST_SECOND, PATTERN, from_unix, to_unix

FIRST, LAST = -62_135_596_800, 253_402_300_799


@given(st.integers(FIRST, LAST))
def test_a_second_is_written_and_read_back(second) -> None:
    """From the first second of the year 1 to the last of the year 9999."""
    assert re.match(PATTERN, from_unix(second))
    assert to_unix(from_unix(second)) == second


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_timestamp_can_be_written(second) -> None:
    """Whatever a clock says: a time that four digits can't say is the nearest that they can."""
    assert re.match(PATTERN, from_unix(second))
    assert to_unix(from_unix(second)) == min(max(second, FIRST_SECOND), LAST_SECOND)


@pytest.mark.parametrize(("second", "text"), [(0, "1970-01-01T00:00:00Z"), (1_709_164_800, "2024-02-29T00:00:00Z")])
def test_times_are_written_in_utc(second, text) -> None:
    """With a Z."""
    assert from_unix(second) == text


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (FIRST, "0001-01-01T00:00:00Z"),
        (FIRST - 1, "0001-01-01T00:00:00Z"),
        (-(2**63), "0001-01-01T00:00:00Z"),
        (LAST + 1, "9999-12-31T23:59:59Z"),
        (2**63, "9999-12-31T23:59:59Z"),
    ],
)
def test_a_second_without_a_name_is_written_as_the_nearest_that_has_one(second, text) -> None:
    """Times in headers and records of other people may be any number; showing one never fails."""
    assert from_unix(second) == text
