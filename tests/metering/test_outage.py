"""When rejects are an outage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.outage import CHUNK_RECORDS, MOST_SOURCES, WINDOW_RECORDS, RejectWindow

BATCHES = st.lists(
    st.integers(1, 3000).flatmap(
        lambda n: st.tuples(st.just(n), st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(1, 300)))
    ),
    max_size=40,
)


def window(*batches: tuple[int, dict[str, int]]) -> RejectWindow:
    """The window after some batches of records, with how many rejects of which sources."""
    result = RejectWindow()
    for records, sources in batches:
        result = result.with_batch(records, [name for name, count in sources.items() for _ in range(count)])
    return result


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([], False),
        ([(9_999, {"/sms": 5_000, "/voice": 4_999})], False),
        ([(10_000, {"/sms": 5_000, "/voice": 5_000})], True),
        ([(10_000, {"/sms": 9_000, "/voice": 500})], True),
        ([(10_000, {"/sms": 9_000, "/voice": 499})], False),
        ([(5_000, {}), (5_000, {"/sms": 2_500, "/voice": 2_500})], False),
        ([(5_000, {}), *([(5_000, {"/sms": 2_500, "/voice": 2_500})] * 2)], True),
        ([(1, {"/sms": 1}), (1, {"/voice": 1})] * 5_000, True),
        ([(10_000, {f"/{n}": 1 for n in range(10_000)})], True),
    ],
)
def test_an_outage_is_a_full_window_of_rejects(batches, expected) -> None:
    """95 % of the last 10,000 records or more; what is older counts no longer, and fewer never trip it."""
    assert window(*batches).is_outage() is expected


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([(10_000, {"/sms": 10_000})], False),
        ([(1, {"/sms": 1})] * 10_000, False),
        ([(10_000, {"/sms": 9_600, "/voice": 400})], False),
        ([(10_000, {"/sms": 9_400, "/voice": 600})], True),
        ([(10_000, {"/sms": 9_000, **{f"/{n}": 25 for n in range(40)}})], True),
        ([(5_000, {"/sms": 5_000}), (5_000, {"/voice": 5_000})], True),
        ([(20_000, {"/sms": 20_000}), (10_000, {"/voice": 10_000})], False),
    ],
)
def test_what_comes_from_one_source_is_that_source_s_fault(batches, expected) -> None:
    """Its rejects become dead letters, however many; others of its shard do not wait until it is mended."""
    assert window(*batches).is_outage() is expected


@given(BATCHES)
def test_a_window_survives_being_written_down(batches) -> None:
    """It lives beside the fence, so that a restart forgets nothing."""
    before = window(*batches)
    assert str(RejectWindow.parse(str(before))) == str(before)


@given(BATCHES)
def test_a_window_stays_small(batches) -> None:
    """However long the log, it holds little more than it must."""
    chunks = [chunk.split(":") for chunk in str(window(*batches)).split(",") if chunk]
    held = [int(records) for records, *_ in chunks]
    assert sum(held[1:]) < WINDOW_RECORDS
    assert len(held) <= WINDOW_RECORDS // CHUNK_RECORDS + 2
    assert all(len(sources) <= MOST_SOURCES for _, _, *sources in chunks)
