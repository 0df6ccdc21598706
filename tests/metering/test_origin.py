"""Where a re-routed copy comes from, as far as its headers can be believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.limits import MAX_FUTURE_MS, MAX_PAST_MS
from metering.origin import Origin, Place, origin_headers, origin_of, without_origin
from tests.metering.events import NOON_MS

PLACE = Place("usage.events", 1)
ORIGIN = Origin("usage.events", 3, 42, NOON_MS - 1000)
HEADERS = dict(origin_headers(ORIGIN))
LONGEST_MS = MAX_PAST_MS + MAX_FUTURE_MS


def test_an_origin_is_four_headers() -> None:
    """As text, so that a person can read them."""
    assert {
        "origin.topic": b"usage.events",
        "origin.partition": b"3",
        "origin.offset": b"42",
        "origin.time": str(NOON_MS - 1000).encode(),
    } == HEADERS


@given(
    st.sampled_from([0, 2, 3, 2**31 - 1]),
    st.integers(0, 2**63 - 1),
    st.integers(0, LONGEST_MS),
    st.permutations(range(4)),
)
def test_what_was_written_is_read_back(partition, offset, age_ms, order) -> None:
    """Among other headers, in any order."""
    origin = Origin("usage.events", partition, offset, NOON_MS - age_ms)
    headers = [origin_headers(origin)[at] for at in order]

    assert origin_of([("trace", b"1"), *headers], NOON_MS, PLACE) == origin


FORGED = {
    "topic": ["", "usage.event", "usage.events.dlq", "\xff"],
    "partition": ["1", "01", "-1", "", " 3", "3.0", "\u0663", str(2**31), "9" * 5000],
    "offset": ["-1", "", "4_2", "1e3", str(2**63), "9" * 20, "9" * 5000],
    "time": [str(NOON_MS + 1), str(NOON_MS - LONGEST_MS - 1), "0", "-1", "", "soon", "9" * 19],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FORGED.items() for text in texts])
def test_what_can_t_be_true_is_no_origin(name, text) -> None:
    """Another topic, its own or no partition, a time after its own or too long ago, anything that is no number."""
    headers = HEADERS | {f"origin.{name}": text.encode()}

    assert origin_of(list(headers.items()), NOON_MS, PLACE) is None


@pytest.mark.parametrize("name", HEADERS)
def test_the_four_are_believed_only_together_and_once(name) -> None:
    """Without one of them, without its value, or with one of them twice: the record is an original."""
    others = [(each, text) for each, text in HEADERS.items() if each != name]

    assert origin_of(others, NOON_MS, PLACE) is None
    assert origin_of([*others, (name, None)], NOON_MS, PLACE) is None
    assert origin_of([*HEADERS.items(), (name, HEADERS[name])], NOON_MS, PLACE) is None
    assert origin_of((), NOON_MS, PLACE) is None


def test_the_headers_of_an_original_have_no_origin() -> None:
    """However often and in whatever form it stood there."""
    headers = [("trace", b"1"), *HEADERS.items(), ("origin.time", None), ("origin.times", b"2")]

    assert without_origin(headers) == [("trace", b"1"), ("origin.times", b"2")]
