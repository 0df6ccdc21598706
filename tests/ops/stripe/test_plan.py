"""Whether an order makes sense, decided from numbers alone."""

import pytest

from metering.account import Account
from metering.outcome import ParkReason
from metering.push_fold import QUIET_MS, Parked
from metering.row import Row
from ops.console.errors import OpsError
from ops.stripe.plan import Change, changed_row, check_absent, check_lacking, check_quiet
from tests.ledger_push.counts import HOUR, NOON

DAY = 24 * HOUR
GRACE = 3600
ANCHOR = NOON - 5 * DAY
ACCOUNT = Account(customer="cus_1", anchor=ANCHOR)
OLD = Row(
    account="acme", meter="sms.send", hour=(NOON - 9 * DAY) // HOUR, start=5, end=12, customer="cus_1",
    timestamp=NOON - 9 * DAY,
)  # fmt: skip
ENTRY = Parked(row=OLD, prepared_ms=0, parked_ms=0, reason=ParkReason.MISSED_CUTOFF, detail="")


class TestChangedRow:
    """The row that replaces another."""

    def _changed(self, change: Change, old: Row = OLD, account: Account = ACCOUNT) -> Row:
        return changed_row(old, change, account, now=NOON, grace=GRACE)

    def test_now_is_the_current_period_s_start(self) -> None:
        """Usage of an earlier period is then carried forward."""
        new = self._changed(Change(now=True))
        assert (new.timestamp, new.carried, new.units) == (ANCHOR, True, OLD.units)

    def test_a_subscription_that_began_in_this_period_is_not_billed_before_its_start(self) -> None:
        """Stripe bills nothing that is stamped earlier."""
        account = ACCOUNT.model_copy(update={"subscription_start": ANCHOR + 90})
        assert self._changed(Change(now=True), account=account).timestamp == ANCHOR + 90

    def test_a_time_of_its_own_period_carries_nothing(self) -> None:
        """Only the minute changes."""
        old = OLD.model_copy(update={"hour": (NOON - DAY) // HOUR, "timestamp": NOON - DAY})
        new = self._changed(Change(timestamp=NOON - DAY + 60), old)
        assert (new.timestamp, new.carried) == (NOON - DAY + 60, False)

    def test_another_customer_leaves_the_rest(self) -> None:
        """A carried row stays carried."""
        old = OLD.model_copy(update={"timestamp": ANCHOR, "carried": True})
        assert self._changed(Change(customer="cus_2"), old) == old.model_copy(update={"customer": "cus_2"})

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (Change(), "say what changes"),
            (Change(now=True, timestamp=NOON), "exclude each other"),
            (Change(customer="cus_1", timestamp=OLD.timestamp), "would be the old one"),
            (Change(timestamp=NOON + 60), "has not come yet"),
            (Change(customer="cus_2"), "--now bills it in the current period"),
            (Change(timestamp=NOON - 6 * DAY), "--now bills it in the current period"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, change: Change, words: str) -> None:
        """The error says what to do instead."""
        with pytest.raises(OpsError, match=words):
            self._changed(change)


@pytest.mark.parametrize(
    ("accepted", "held", "words"), [(10, 10, None), (10, 17, "retry"), (10, 12, "nobody can tell")]
)
def test_only_what_stripe_lacks_is_replaced(accepted: int, held: int, words: str | None) -> None:
    """The row has 7 units: Stripe has them, lacks them, or shows another number."""
    if words is None:
        check_absent(ENTRY, accepted, held)
        return
    with pytest.raises(OpsError, match=words):
        check_absent(ENTRY, accepted, held)


@pytest.mark.parametrize(
    ("accepted", "fresh", "held", "words"),
    [
        (7, 0, 0, None),
        (17, 0, 10, None),
        (17, 0, 0, None),
        (17, 10, 0, None),
        (17, 0, 17, "Stripe has the row"),
        (17, 0, 20, "Stripe has the row"),
        (17, 0, 14, "another row of that minute"),
        (17, 10, 7, "less than 3 hours"),
    ],
)
def test_only_what_stripe_lacks_is_parked(accepted: int, fresh: int, held: int, words: str | None) -> None:
    """The row has 7 of the accepted units; fresh units may be the missing ones."""
    if words is None:
        check_lacking(OLD, accepted, fresh, held)
        return
    with pytest.raises(OpsError, match=words):
        check_lacking(OLD, accepted, fresh, held)


def test_the_quiet_time_ends_after_three_hours() -> None:
    """To the millisecond; before that, the error names the time from which on it is allowed."""
    check_quiet(NOON * 1000, NOON * 1000 + QUIET_MS, "parked")
    with pytest.raises(OpsError, match="try again at 2026-06-20T15:00:00Z"):
        check_quiet(NOON * 1000, NOON * 1000 + QUIET_MS - 1, "parked")
