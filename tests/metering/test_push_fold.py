"""The push log's fold: the log's order is the lock."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metering.outcome import ParkReason
from metering.push_fold import InFlight, Parked, PushState, ShardDivergedError, fold
from metering.push_log import MAX_ROWS, Foreign, Prepared, Settled, Settlement, StripeIdentity, decode, encode
from metering.row import Row, bucket_key

IDENTITY = StripeIdentity(namespace="n", account="acct_1", livemode=False)
HOUR = 494_988
NOON = HOUR * 3600
BUCKET = bucket_key("acme", 0, HOUR)


def row(start: int, end: int, hour: int = HOUR, customer: str = "cus_1", timestamp: int | None = None) -> Row:
    """A row of `acme`'s `sms.send`."""
    stamp = hour * 3600 if timestamp is None else timestamp
    return Row(account="acme", meter="sms.send", hour=hour, start=start, end=end, customer=customer, timestamp=stamp)


def prepared(*rows: Row) -> Prepared:
    """A record that announces rows."""
    return Prepared(identity=IDENTITY, usage_fence=0, rows=rows)


def delivered(*rows: Row) -> Settled:
    """A record that says Stripe has them."""
    return Settled(settlements=tuple(Settlement(identifier=row.identifier("n")) for row in rows))


def parked(row: Row, reason: ParkReason = ParkReason.NO_METER) -> Settled:
    """A record that says Stripe will not have it."""
    return Settled(settlements=(Settlement(identifier=row.identifier("n"), parked=reason, detail="why"),))


def state_of(*records: Prepared | Settled, counted: int = 1000) -> PushState:
    """What a log says, if so much was counted in the buckets that the tests use."""
    state = PushState(counted={bucket_key("acme", 0, hour): counted for hour in (HOUR, HOUR + 1)})
    for offset, record in enumerate(records):
        fold(state, decode(encode(record)), append_ms=offset)
    return state


def test_a_row_that_starts_at_the_claim_is_in_flight() -> None:
    """With the append time of its record, from which its age is counted."""
    state = state_of(prepared(row(0, 100)))

    assert state.claimed == {BUCKET: 100}
    assert state.in_flight == {row(0, 100).identifier("n"): InFlight(row=row(0, 100), prepared_ms=0)}
    assert state.identity == IDENTITY
    assert state.held() == {BUCKET, f"0|{NOON // 60}|cus_1"}


@pytest.mark.parametrize(("planned_ms", "since_ms"), [(None, 0), (5, 0), (-7, -7)])
def test_a_rows_age_begins_by_the_earlier_of_two_clocks(planned_ms: int | None, since_ms: int) -> None:
    """The planner's and the broker's: one that is ahead would make a row look younger than it is."""
    state = state_of(prepared(row(0, 100)).model_copy(update={"planned_ms": planned_ms}))

    assert [entry.prepared_ms for entry in state.in_flight.values()] == [since_ms]


def test_a_delivered_row_is_accepted_and_lets_go() -> None:
    """The next row starts where it ended."""
    state = state_of(prepared(row(0, 100)), delivered(row(0, 100)), prepared(row(100, 130)), delivered(row(100, 130)))

    assert state.accepted == {f"0|{NOON // 60}|cus_1": 130}
    assert state.claimed == {BUCKET: 130}
    assert not state.in_flight
    assert not state.held()


def test_of_two_workers_with_the_same_claim_the_first_in_the_log_wins() -> None:
    """Whether the loser planned the same row, a longer one, or for another customer."""
    won = row(0, 100)
    for lost in (won, row(0, 120), row(0, 100, customer="cus_2")):
        state = state_of(prepared(won), prepared(lost), delivered(won))

        assert state.claimed == {BUCKET: 100}
        assert list(state.accepted.values()) == [100]
        assert not state.in_flight


def test_a_record_that_was_written_twice_changes_nothing_the_second_time() -> None:
    """A producer's retry, also after the row was delivered or parked."""
    for settled in (delivered(row(0, 100)), parked(row(0, 100))):
        once = state_of(prepared(row(0, 100)), settled)
        twice = state_of(prepared(row(0, 100)), settled, prepared(row(0, 100)), settled)

        assert (once.accepted, once.in_flight, once.claimed) == (twice.accepted, twice.in_flight, twice.claimed)
        assert set(once.parked) == set(twice.parked)


@pytest.mark.parametrize(("start", "end"), [(0, 50), (50, 150), (99, 120), (101, 150), (200, 300)])
def test_a_row_that_does_not_start_at_the_claim_is_ignored(start, end) -> None:
    """Behind it, across it, or beyond it: it was planned from another state."""
    state = state_of(prepared(row(0, 100)), delivered(row(0, 100)), prepared(row(start, end)))

    assert state.claimed == {BUCKET: 100}
    assert not state.in_flight


def test_a_bucket_has_one_unresolved_row() -> None:
    """In flight or parked; the next claim waits for its verdict."""
    follower = prepared(row(100, 120))

    assert len(state_of(prepared(row(0, 100)), follower).in_flight) == 1
    assert not state_of(prepared(row(0, 100)), parked(row(0, 100)), follower).in_flight
    assert len(state_of(prepared(row(0, 100)), delivered(row(0, 100)), follower).in_flight) == 1


def test_a_customer_s_minute_has_one_unresolved_row() -> None:
    """Two buckets of one customer with the same timestamp minute cannot be told apart in a summary."""
    carried = row(0, 10, hour=HOUR + 1, timestamp=NOON + 59)
    other_minute = row(0, 10, hour=HOUR + 1, timestamp=NOON + 60)
    other_customer = row(0, 10, hour=HOUR + 1, customer="cus_2", timestamp=NOON)

    for second, accepted in ((carried, 1), (other_minute, 2), (other_customer, 2)):
        assert len(state_of(prepared(row(0, 100)), prepared(second)).in_flight) == accepted
        assert len(state_of(prepared(row(0, 100), second)).in_flight) == accepted


def test_rows_of_one_record_are_judged_one_by_one() -> None:
    """A loser among them takes nobody with it."""
    good, bad = row(0, 10), row(5, 10, hour=HOUR + 1)

    assert list(state_of(prepared(bad, good)).in_flight) == [good.identifier("n")]


def test_a_parked_row_keeps_its_times_and_reason() -> None:
    """It waits for a person, who must see why and since when."""
    state = state_of(prepared(row(0, 100)), parked(row(0, 100)))

    assert list(state.parked.values()) == [
        Parked(row=row(0, 100), prepared_ms=0, parked_ms=1, reason=ParkReason.NO_METER, detail="why")
    ]
    assert not state.accepted
    assert state.claimed == {BUCKET: 100}


def test_only_the_first_verdict_on_a_row_counts() -> None:
    """A late `parked` cannot take back what was delivered, nor a late `delivered` free a parked row."""
    first, second = delivered(row(0, 100)), parked(row(0, 100))

    assert not state_of(prepared(row(0, 100)), first, second, first).parked
    assert state_of(prepared(row(0, 100)), first, second, first).accepted == {f"0|{NOON // 60}|cus_1": 100}
    assert state_of(prepared(row(0, 100)), second, first).parked
    assert not state_of(prepared(row(0, 100)), second, first).accepted


def test_a_verdict_on_an_unknown_row_changes_nothing() -> None:
    """On one that lost its race, or that this log never had."""
    assert state_of(delivered(row(0, 100)), parked(row(0, 1))) == state_of()


def test_a_row_that_claims_more_than_was_counted_stops_the_shard() -> None:
    """The two logs do not belong together."""
    with pytest.raises(ShardDivergedError, match="more than was counted"):
        state_of(prepared(row(0, 101)), counted=100)


def test_a_loser_may_claim_what_it_likes() -> None:
    """Only a row that would be accepted is compared with the count."""
    assert state_of(prepared(row(0, 100)), prepared(row(7, 5000)), counted=100).claimed == {BUCKET: 100}


@pytest.mark.parametrize("value", [b'{"kind":"other"}', b'{"kind":"settled","settlements":[]}', b'{"kind":null}'])
def test_what_another_version_may_have_written_is_refused(value) -> None:
    """Nobody guesses at what it claimed."""
    with pytest.raises(ValidationError):
        decode(value)


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"hello", b"\xff", b"\x00\x00\x00\x01", b"[" * 100_000, b"null"])
def test_what_no_version_has_written_claims_nothing(value) -> None:
    """Every record of the log is an object with a kind."""
    assert decode(value) == Foreign()
    state = state_of(prepared(row(0, 100)))
    before = deepcopy(state)
    fold(state, decode(value), append_ms=1)
    assert state == before


def test_a_record_has_at_most_100_rows() -> None:
    """And at least one."""
    rows = tuple(row(0, number + 1) for number in range(MAX_ROWS + 1))

    assert len(decode(encode(prepared(*rows[:MAX_ROWS]))).rows) == MAX_ROWS
    for wrong in (rows, ()):
        with pytest.raises(ValidationError):
            prepared(*wrong)


ROWS = st.builds(
    lambda start, length, hour, customer, minute: row(
        start, start + length, HOUR + hour, f"cus_{customer}", NOON + hour * 3600 - minute * 3600
    ),
    st.integers(0, 6),
    st.integers(1, 4),
    st.integers(0, 1),
    st.integers(1, 2),
    st.integers(0, 1),
)
RECORDS = st.lists(ROWS, min_size=1, max_size=3).map(lambda rows: prepared(*rows)) | st.builds(
    lambda row, park: parked(row) if park else delivered(row), ROWS, st.booleans()
)


@given(st.lists(RECORDS, max_size=25))
def test_whatever_the_log_holds_no_unit_is_claimed_twice(records) -> None:
    """Every unit below the claim is accepted, in flight or parked exactly once; unresolved rows hold nothing twice."""
    state = state_of(*records)

    open_rows = [entry.row for entry in state.in_flight.values()] + [entry.row for entry in state.parked.values()]
    for bucket, claimed in state.claimed.items():
        assert claimed <= state.counted[bucket]
    assert sum(state.claimed.values()) == sum(state.accepted.values()) + sum(row.value for row in open_rows)
    assert len({row.bucket_key for row in open_rows}) == len(open_rows)
    assert len({row.minute_key for row in open_rows}) == len(open_rows)
    assert not set(state.in_flight) & set(state.parked)
