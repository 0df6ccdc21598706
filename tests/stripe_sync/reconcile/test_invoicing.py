"""Accepted, and on no invoice: a table of subscriptions."""

from dataclasses import replace

import pytest

from ledger.accepted import Lane
from stripe_sync.reconcile.invoicing import WORDS, Cause, cause_of, uncovered
from stripe_sync.stripe_api.subscriptions import Subscribed

AT, METERS, PERIOD = 1_000_020, ("mtr_old", "mtr_1"), 900_000
FINE = Subscribed("sub_1", 500_000, None, paused=False, meters={"mtr_1": PERIOD})
ENDED = replace(FINE, ended=AT)
OTHER = replace(FINE, meters={"mtr_2": PERIOD})

CASES = [
    ("it has a price for the meter", [FINE], None),
    ("one of its prices is for a meter of before", [replace(FINE, meters={"mtr_2": 1, "mtr_old": 1})], None),
    ("it ends later", [replace(FINE, ended=AT + 1)], None),
    ("it begins within the minute", [replace(FINE, begins=AT + 59)], None),
    ("it was paused after the period of the usage", [replace(FINE, paused=True, meters={"mtr_1": AT + 1})], None),
    ("another one has it", [ENDED, OTHER, FINE], None),
    ("there is none", [], Cause.NO_SUBSCRIPTION),
    ("it has ended", [ENDED], Cause.CANCELLED),
    ("it had been paused before it ended", [replace(ENDED, paused=True)], Cause.CANCELLED),
    ("it begins later", [replace(FINE, begins=AT + 60)], Cause.NOT_BEGUN),
    ("its first invoice is not paid", [replace(FINE, begins=None)], Cause.NOT_BEGUN),
    ("it is paused", [replace(FINE, paused=True)], Cause.PAUSED),
    ("it has other prices only", [OTHER], Cause.NO_PRICE),
    ("the one with the price has ended, another lives", [ENDED, OTHER], Cause.CANCELLED),
    ("it has ended, and never had the price", [replace(OTHER, ended=AT)], Cause.CANCELLED),
    ("one has ended, another begins later", [ENDED, replace(FINE, begins=AT + 60)], Cause.CANCELLED),
]


@pytest.mark.parametrize(("subscriptions", "cause"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_why_a_minute_is_on_no_invoice(subscriptions: list[Subscribed], cause: Cause | None) -> None:
    """None if it is on one."""
    assert cause_of(AT, METERS, subscriptions) is cause


def test_units_are_told_by_cause() -> None:
    """Those that are on an invoice are not told at all."""
    minutes = {AT - 60: 5, AT: 7, AT + 60: 2, AT + 120: 0}

    (found,) = uncovered("acme", Lane("cus_1", "sms.send"), minutes, METERS, [ENDED])

    assert (found.cause, found.units) == (Cause.CANCELLED, 9)
    assert str(found.finding(3)) == (
        "shard 3: 9 units are accepted by Stripe, and on no invoice: the subscription had ended before: "
        "acme (cus_1), sms.send: 9 units"
    )


def test_every_cause_has_words() -> None:
    """In the status, and in the docs by name."""
    assert WORDS.keys() == set(Cause)
