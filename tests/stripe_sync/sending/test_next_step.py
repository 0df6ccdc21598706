"""What may be done with a row in flight: a table of moments."""

import pytest

from metering.account import Account
from metering.push_fold import InFlight
from stripe_sync.push_log.folder import Moment
from stripe_sync.sending.sender import RESEND_SECONDS, WINDOW_SECONDS, Now, Step, Work, next_step
from tests.ledger_push.counts import NOON
from tests.ledger_push.rows import name_of, row

GRACE = 3600
DAY = 86_400
ROW = row(0, 5)
JULY = 1_782_864_000
CUTOFF = JULY + GRACE - 15 * 60


async def no_base() -> int | None:
    """Not asked here."""
    raise AssertionError


def step(
    wall: float = 0.0,
    monotonic: float | None = None,
    *,
    folded_at: float = NOON,
    age: float = 0.0,
    asked: bool = False,
    anchor: int | None = None,
) -> Step:
    """The step so many seconds after the fold, of a row whose record was appended `age` seconds before the fold."""
    work = Work(
        identifier=name_of(ROW),
        entry=InFlight(row=ROW, prepared_ms=int((folded_at - age) * 1000)),
        account=Account(customer="cus_1", anchor=anchor),
        folded=Moment(int(folded_at * 1000), 100.0),
        base=no_base,
    )
    now = Now(int((folded_at + wall) * 1000), 100.0 + (wall if monotonic is None else monotonic))
    return next_step(work, now, grace=GRACE, asked=asked)


@pytest.mark.parametrize(
    ("wall", "monotonic", "expected"),
    [
        (0, 0, Step.SEND),
        (WINDOW_SECONDS - 1, WINDOW_SECONDS - 1, Step.SEND),
        (WINDOW_SECONDS, WINDOW_SECONDS, Step.START_OVER),
        (0, WINDOW_SECONDS, Step.START_OVER),
        (0, WINDOW_SECONDS - 0.001, Step.SEND),
        (WINDOW_SECONDS, 0, Step.START_OVER),
        (WINDOW_SECONDS - 0.001, 0, Step.SEND),
        (5 * 3600, 3, Step.START_OVER),
        (-WINDOW_SECONDS, 3, Step.START_OVER),
        (-WINDOW_SECONDS + 1, 3, Step.SEND),
        (-30 * DAY, 3, Step.START_OVER),
        (3, -1, Step.START_OVER),
    ],
)
def test_a_row_is_sent_within_the_window_by_both_clocks(wall: float, monotonic: float, expected: Step) -> None:
    """One of them may have jumped, gone back, or stood still while the machine slept."""
    assert step(wall, monotonic) is expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, Step.SEND),
        (RESEND_SECONDS - 11, Step.SEND),
        (RESEND_SECONDS - 10, Step.ASK),
        (RESEND_SECONDS, Step.ASK),
        (30 * DAY, Step.ASK),
        (-60, Step.SEND),
    ],
)
def test_after_22_hours_the_summary_is_asked_first(age: float, expected: Step) -> None:
    """Counted from its record's append time to this moment, which is ten seconds after the fold."""
    assert step(10, age=age, folded_at=NOON) is expected


def test_an_asked_row_is_sent() -> None:
    """The summary has said that it is not there."""
    assert step(10, age=RESEND_SECONDS, asked=True) is Step.SEND
    assert step(WINDOW_SECONDS, age=RESEND_SECONDS, asked=True) is Step.START_OVER


@pytest.mark.parametrize(
    ("now", "expected"),
    [(CUTOFF - 1, Step.SEND), (CUTOFF, Step.MISSED), (CUTOFF + DAY, Step.MISSED)],
)
def test_a_row_is_not_sent_into_a_period_that_is_final(now: int, expected: Step) -> None:
    """The period's end and Stripe's grace, less a quarter of an hour."""
    assert step(folded_at=now) is expected


@pytest.mark.parametrize(("days", "expected"), [(32.9, Step.SEND), (33.1, Step.MISSED), (34.5, Step.MISSED)])
def test_a_row_of_the_period_s_first_second_is_sent_while_its_period_is_open(days: float, expected: Step) -> None:
    """June has 30 days, and Stripe may wait for up to 72 hours more; a quarter of an hour before that it is over."""
    first = JULY - 30 * DAY
    opening = row(0, 5, hour=first // 3600, timestamp=first)
    folded = Moment(int((first + days * DAY) * 1000), 0.0)
    work = Work(name_of(opening), InFlight(row=opening, prepared_ms=folded.wall_ms), Account(), folded, no_base)
    assert next_step(work, Now(folded.wall_ms, 0.0), grace=72 * 3600) is expected


def test_a_timestamp_of_34_days_ago_is_never_sent() -> None:
    """Stripe takes 35: a period of 31 days and a long grace would allow for more."""
    may = JULY - 61 * DAY
    opening = row(0, 5, hour=may // 3600, timestamp=may)
    folded = Moment((may + 34 * DAY) * 1000, 0.0)
    work = Work(name_of(opening), InFlight(row=opening, prepared_ms=folded.wall_ms), Account(), folded, no_base)
    assert next_step(work, Now(folded.wall_ms - 1000, 0.0), grace=10 * DAY) is Step.SEND
    assert next_step(work, Now(folded.wall_ms, 0.0), grace=10 * DAY) is Step.MISSED


def test_the_numbers() -> None:
    """Ten minutes from the look at the log to the call; 22 hours of the 24 for which Stripe knows an identifier."""
    assert (WINDOW_SECONDS, RESEND_SECONDS) == (600, 79_200)


def test_the_account_s_anchor_decides_the_period() -> None:
    """Anchored at the fourth, the period of 20 June ends on 4 July."""
    fourth = JULY + 3 * DAY
    assert step(folded_at=CUTOFF, anchor=fourth) is Step.SEND
    assert step(folded_at=fourth + GRACE - 900, anchor=fourth) is Step.MISSED


def test_an_old_row_of_a_final_period_is_asked_for_before_it_is_given_up() -> None:
    """It may have been delivered in time."""
    assert step(folded_at=CUTOFF, age=RESEND_SECONDS) is Step.ASK
    assert step(folded_at=CUTOFF, age=RESEND_SECONDS, asked=True) is Step.MISSED


def test_a_row_that_missed_its_cut_off_is_looked_for_once_summaries_can_be_believed() -> None:
    """It may have been taken by an attempt whose answer was lost."""
    assert step(folded_at=CUTOFF, age=3 * 3600 - 1) is Step.MISSED
    assert step(folded_at=CUTOFF, age=3 * 3600) is Step.ASK
    assert step(folded_at=CUTOFF, age=3 * 3600, asked=True) is Step.MISSED
