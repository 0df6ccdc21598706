"""Orders to pass offsets by: how they are kept, and what of an interval they are about."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metering.counting import Interval
from metering.quarantine import OrderKey, QuarantineOrder, QuarantineOrders, order_at, passed_by, pieces, stretches
from tests.metering.events import Record


def order(offset: int, end: int, why: str = "it can't be read") -> QuarantineOrder:
    """An order of somebody's."""
    return QuarantineOrder(offset=offset, end=end, why=why, who="ops", time=1_800_000_000)


def test_an_order_is_read_as_it_was_written() -> None:
    """A topic may have dashes and dots of its own."""
    key, given = OrderKey("prod-eu.usage.events", 3, 100), order(100, 105)
    orders = QuarantineOrders()

    assert str(key) == "prod-eu.usage.events-3@100"
    assert orders.fold(str(key), given.to_json()) == key
    assert orders.of("prod-eu.usage.events", 3) == [given]
    assert orders.of("prod-eu.usage.events", 4) == ()
    assert not orders.faults


def test_the_last_record_of_a_key_counts() -> None:
    """None takes the order back; orders are kept by offset, whatever order they came in."""
    orders = QuarantineOrders()
    for offset, end in ((200, 201), (100, 101), (100, 105)):
        orders.fold(f"usage-0@{offset}", order(offset, end).to_json())
    assert [(each.offset, each.end) for each in orders.of("usage", 0)] == [(100, 105), (200, 201)]

    orders.fold("usage-0@100", None)
    assert [each.offset for each in orders.of("usage", 0)] == [200]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("usage-0", order(1, 2).to_json()),
        ("usage@1", order(1, 2).to_json()),
        ("usage-0@1x", order(1, 2).to_json()),
        ("usage-0@-1", order(1, 2).to_json()),
        ("usage-0@5", order(1, 2).to_json()),
        ("usage-0@1", b"{"),
        ("usage-0@1", b'{"offset":1}'),
        ("usage-0@2", order(1, 3).model_copy(update={"offset": 2, "end": 2}).to_json()),
    ],
)
def test_what_is_no_order_is_not_obeyed_and_told(key, value) -> None:
    """Until its key has a record that is one."""
    orders = QuarantineOrders()

    assert orders.fold(key, value) is None
    assert orders.of("usage", 0) == ()
    assert orders.faults[key]

    orders.fold("usage-0@1", order(1, 2).to_json())
    assert "usage-0@1" not in orders.faults


ORDERS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=6).map(
    lambda drawn: sorted((order(at, at + length) for at, length in drawn), key=lambda each: each.offset)
)
OFFSETS = st.lists(st.integers(0, 50), unique=True).map(sorted)


@given(ORDERS, OFFSETS, st.integers(0, 50), st.integers(0, 50))
@example([order(1, 5)], [], 3, 3)
def test_an_interval_is_cut_without_a_hole_and_every_record_has_one_fate(orders, offsets, one, other) -> None:
    """Each piece is about one order or about none; a record is passed by exactly if an order has its offset."""
    start, end = min(one, other), max(one, other)
    records = [Record(offset, b"") for offset in offsets if start <= offset < end]

    cut = pieces(Interval(start, end, records), orders)

    assert [piece.start for piece, _ in cut] == [start, *(piece.end for piece, _ in cut[:-1])]
    assert cut[-1][0].end == end
    assert [record for piece, _ in cut for record in piece.records] == records
    for piece, obeyed in cut if start < end else ():
        assert all((order_at(orders, at) is None) == (obeyed is None) for at in range(piece.start, piece.end))
        assert all(piece.start <= record.offset < piece.end for record in piece.records)


@given(ORDERS, st.integers(0, 50), st.integers(0, 50))
def test_offsets_that_are_passed_by_are_counted_once(orders, start, end) -> None:
    """However orders overlap."""
    covered = {at for each in orders for at in range(each.offset, each.end)}

    assert passed_by(orders, start, end) == len(covered & set(range(start, end)))
    assert sum(each.end - each.start for each in stretches(orders, start, end)) == max(0, end - start)


def test_an_interval_without_an_order_is_the_very_same() -> None:
    """Which nearly all are: nothing is copied."""
    interval = Interval(10, 20, [Record(10, b"")])

    for orders in ((), [order(5, 10)], [order(20, 30)]):
        ((piece, obeyed),) = pieces(interval, orders)
        assert piece is interval
        assert obeyed is None
