"""A difference that moves while it is looked at: what was known before Stripe's answer, and after."""

import pytest

from ledger.accepted import Lane
from stripe_sync.reconcile.difference import Difference, DifferenceReason, Slot, judge_again

LANE = Lane("cus_1", "sms.send")
MINUTE, HOUR = 7200, 3600


def difference(slot: Slot, held: int, start: int = MINUTE, seconds: int = 60) -> Difference:
    """One that nothing explained."""
    return Difference(LANE, start, seconds, slot, held, (DifferenceReason.UNKNOWN,))


@pytest.mark.parametrize(
    ("before", "after", "held", "explained"),
    [
        (Slot(100), Slot(130), 130, True),  # a row was prepared, sent and settled in between
        (Slot(100), Slot(100, in_flight=30), 130, True),  # it was prepared and sent
        (Slot(100, in_flight=30), Slot(130, in_flight=20), 150, True),  # one was settled, the next was sent
        (Slot(100), Slot(130, fresh=30), 100, True),  # Stripe's summary lags
        (Slot(100), Slot(100), 130, False),  # nothing moved: a stranger's usage
        (Slot(100), Slot(130), 99, False),  # less than was accepted before
        (Slot(100), Slot(130), 131, False),  # more than we ever told
        (Slot(100, fresh=40), Slot(130, fresh=70), 60, True),
        (Slot(100, fresh=40), Slot(130, fresh=70), 59, False),
    ],
)
def test_what_lies_between_both_looks_is_explained(before: Slot, after: Slot, held: int, explained: bool) -> None:
    """Stripe had at least what was accepted before, and at most what was told it after."""
    judged = judge_again(difference(before, held), {MINUTE: before}, {MINUTE: after})
    assert judged.explained is explained


@pytest.mark.parametrize(
    ("after", "explained"), [({}, False), ({7260: Slot(in_flight=5)}, True), ({7260: Slot(4)}, False)]
)
def test_a_minute_that_was_not_ours_before_may_be_by_now(after: dict[int, Slot], explained: bool) -> None:
    """Units elsewhere in the hour are a row's that was prepared in between, or a stranger's."""
    elsewhere = difference(Slot(), 5, MINUTE, HOUR)
    known = {MINUTE: Slot(100)}
    assert judge_again(elsewhere, known, known | after).explained is explained


def test_an_explanation_stays() -> None:
    """What was explained at the first look needs no second one."""
    fresh = Difference(LANE, MINUTE, 60, Slot(100, fresh=100), 0, (DifferenceReason.TOO_FRESH,))
    assert judge_again(fresh, {}, {}) is fresh
