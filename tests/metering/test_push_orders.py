"""Orders in the push log: obeyed where they make sense, and otherwise without effect."""

from typing import Any

import pytest

from metering.outcome import ParkReason
from metering.push_fold import QUIET_MS, InFlight, PushState, fold
from metering.push_log import (
    ParkOrder,
    Prepared,
    PushRecord,
    ReissueOrder,
    RetryOrder,
    Settled,
    Settlement,
    StripeIdentity,
    WriteOffOrder,
    decode,
    encode,
)
from metering.row import Row, bucket_key

HOUR = 494_988
BUCKET = bucket_key("acme", 0, HOUR)
WORDS: dict[str, Any] = {"who": "ada", "why": "the customer was deleted"}
PREPARED_MS, SETTLED_MS = 1_000, 2_000
LATER_MS = SETTLED_MS + QUIET_MS


def row(start: int = 0, end: int = 5, customer: str = "cus_1", timestamp: int = HOUR * 3600, **other: Any) -> Row:
    """A row of `acme`'s `sms.send`."""
    facts = {"account": "acme", "meter": "sms.send", "hour": HOUR, "customer": customer, "timestamp": timestamp}
    return Row(start=start, end=end, **(facts | other))


FIRST, OTHER = row(), row(customer="cus_2")
NAME, OTHER_NAME = FIRST.identifier("n"), OTHER.identifier("n")


def prepared(*rows: Row) -> Prepared:
    """Rows are announced."""
    return Prepared(identity=StripeIdentity(namespace="n", account="acct_1", livemode=False), usage_fence=0, rows=rows)


def settled(row: Row, reason: ParkReason | None = None) -> Settled:
    """A row is delivered, or parked."""
    return Settled(settlements=(Settlement(identifier=row.identifier("n"), parked=reason),))


def state_of(*log: tuple[PushRecord, int]) -> PushState:
    """What a log says, where each bucket has 100 units."""
    state = PushState(counted={bucket_key("acme", 0, HOUR + hour): 100 for hour in range(3)})
    for record, append_ms in log:
        fold(state, decode(encode(record)), append_ms)
    return state


PARKED = ((prepared(FIRST), PREPARED_MS), (settled(FIRST, ParkReason.UNKNOWN_CUSTOMER), SETTLED_MS))
DELIVERED = ((prepared(FIRST), PREPARED_MS), (settled(FIRST), SETTLED_MS))
PARK = ParkOrder(namespace="n", row=FIRST, prepared_ms=PREPARED_MS, delivered_ms=SETTLED_MS, **WORDS)
RETRY, WRITE_OFF = RetryOrder(identifier=NAME, **WORDS), WriteOffOrder(identifier=NAME, **WORDS)
REISSUE = ReissueOrder(old=NAME, parked_ms=SETTLED_MS, namespace="n", row=OTHER, **WORDS)


def test_a_retried_row_is_as_old_as_it_was() -> None:
    """Its age decides whether it may be resent blindly; it holds its bucket all the time."""
    state = state_of(*PARKED, (RETRY, LATER_MS))
    assert state.in_flight == {NAME: InFlight(row=FIRST, prepared_ms=PREPARED_MS)}
    assert state.parked == {}
    assert state.held() == {FIRST.bucket_key, FIRST.minute_key}


def test_a_row_that_was_written_off_frees_what_it_held_and_its_units_stay_claimed() -> None:
    """They are never billed; the next row goes on after them."""
    state = state_of(*PARKED, (WRITE_OFF, LATER_MS), (prepared(row(5, 9)), LATER_MS))
    assert (state.parked, state.accepted) == ({}, {})
    assert [entry.row for entry in state.in_flight.values()] == [row(5, 9)]


def test_a_reissued_row_has_a_new_identifier_and_a_new_age() -> None:
    """Same units, another body."""
    state = state_of(*PARKED, (REISSUE, LATER_MS))
    assert state.in_flight == {OTHER_NAME: InFlight(row=OTHER, prepared_ms=LATER_MS)}
    assert state.held() == {OTHER.bucket_key, OTHER.minute_key}
    assert state.claimed == {BUCKET: 5}


@pytest.mark.parametrize(
    ("order", "at"),
    [
        (REISSUE, LATER_MS - 1),
        (REISSUE.model_copy(update={"row": FIRST}), LATER_MS),
        (REISSUE.model_copy(update={"row": row(0, 6, "cus_2")}), LATER_MS),
        (REISSUE.model_copy(update={"row": row(customer="cus_2", hour=HOUR + 1)}), LATER_MS),
        (REISSUE.model_copy(update={"old": OTHER_NAME}), LATER_MS),
    ],
)
def test_what_is_no_reissue_changes_nothing(order: ReissueOrder, at: int) -> None:
    """Too early, the same body, other units, another bucket, a row that isn't parked."""
    assert state_of(*PARKED, (order, at)) == state_of(*PARKED)


def test_a_reissue_is_about_the_parking_that_its_issuer_saw() -> None:
    """The summary lacked the row; then it was retried, perhaps arrived, and was parked again: that proves nothing."""
    again = (settled(FIRST, ParkReason.MISSED_CUTOFF), SETTLED_MS + 1)
    log = (*PARKED, (RETRY, SETTLED_MS), again)
    late = LATER_MS + 1
    assert state_of(*log, (REISSUE, late)) == state_of(*log)
    judged_anew = REISSUE.model_copy(update={"parked_ms": SETTLED_MS + 1})
    assert list(state_of(*log, (judged_anew, late)).in_flight) == [OTHER_NAME]


def test_a_reissue_does_not_take_a_minute_that_another_row_holds() -> None:
    """A question to the summary would have two unknowns."""
    third = row(hour=HOUR + 1, customer="cus_2")
    log = (*PARKED, (prepared(third), PREPARED_MS))
    assert state_of(*log, (REISSUE, LATER_MS)) == state_of(*log)


def test_a_delivered_row_that_stripe_lost_is_accepted_no_more() -> None:
    """It waits for a person, with its age and the reason."""
    state = state_of(*DELIVERED, (PARK, LATER_MS))
    assert state.accepted == {FIRST.minute_key: 0}
    (entry,) = state.parked.values()
    assert (entry.row, entry.prepared_ms, entry.reason, entry.detail) == (
        FIRST, PREPARED_MS, ParkReason.LOST, WORDS["why"],
    )  # fmt: skip
    again = (RETRY, LATER_MS + QUIET_MS), (settled(FIRST), LATER_MS + QUIET_MS)
    assert state_of(*DELIVERED, (PARK, LATER_MS), *again).accepted == {FIRST.minute_key: 5}


def test_a_lost_row_is_not_retried_before_summaries_can_be_believed() -> None:
    """Until it was parked, other rows could be sent in its minute, and summaries may not show them yet."""
    log = (*DELIVERED, (PARK, LATER_MS))
    assert state_of(*log, (RETRY, LATER_MS + QUIET_MS - 1)) == state_of(*log)


@pytest.mark.parametrize(
    "log",
    [
        (*DELIVERED, (PARK, LATER_MS - 1)),
        (*DELIVERED, (prepared(row(5, 7)), LATER_MS), (PARK, LATER_MS)),
        (*DELIVERED, (PARK, LATER_MS), (PARK, LATER_MS)),
        (*DELIVERED, (PARK, LATER_MS), (WRITE_OFF, LATER_MS), (PARK, LATER_MS)),
        (*DELIVERED, (PARK, LATER_MS), (REISSUE, LATER_MS + QUIET_MS), (settled(OTHER), LATER_MS), (PARK, LATER_MS)),
        ((PARK, LATER_MS),),
    ],
)
def test_an_order_to_park_never_takes_units_twice(log: tuple[tuple[PushRecord, int], ...]) -> None:
    """Too early, held, twice, after a write-off, after a reissue, of a row that was never delivered."""
    assert state_of(*log) == state_of(*log[:-1])


def test_orders_for_rows_that_are_not_parked_change_nothing() -> None:
    """In flight, delivered, or unknown."""
    for log in ((DELIVERED[0],), DELIVERED, ()):
        for order in (RETRY, WRITE_OFF, REISSUE):
            assert state_of(*log, (order, LATER_MS)) == state_of(*log)


def test_carried_units_are_summed_where_they_went() -> None:
    """By account, meter and minute; parking takes them back."""
    carried = row(carried=True, timestamp=HOUR * 3600 + 86_400)
    log = ((prepared(carried), PREPARED_MS), (settled(carried), SETTLED_MS))
    assert state_of(*log).carried == {carried.carried_key: 5}
    order = PARK.model_copy(update={"row": carried})
    assert state_of(*log, (order, LATER_MS)).carried == {carried.carried_key: 0}


def test_a_closed_bucket_believes_its_rows() -> None:
    """Its count has lost units; rows follow one another all the same, and losers stay losers."""
    state = PushState(closed_before=HOUR + 1)
    for record in (prepared(row(0, 60)), settled(row(0, 60)), prepared(row(50, 70)), prepared(row(60, 70))):
        fold(state, record, PREPARED_MS)
    assert [entry.row for entry in state.in_flight.values()] == [row(60, 70)]


def test_the_first_row_that_a_cut_log_has_is_believed_where_its_bucket_is_closed() -> None:
    """The rows before it are gone."""
    state = PushState(closed_before=HOUR + 1, cut=True)
    fold(state, prepared(row(50, 70)), PREPARED_MS)
    fold(state, prepared(row(50, 70, hour=HOUR + 1)), PREPARED_MS)
    assert [entry.row for entry in state.in_flight.values()] == [row(50, 70)]
