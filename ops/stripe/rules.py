"""When an order makes sense, and what to do instead where it does not: decided before anything is appended.

The fold of the push log is what refuses (`metering/push_fold.py`); here a person is told why it would.
"""

from dataclasses import dataclass

from metering.account import Account
from metering.billing_time import sendable_until
from metering.bucket import effective_time
from metering.period import period_containing
from metering.push_fold import QUIET_MS, Parked
from metering.rfc3339 import from_unix
from metering.row import Row
from ops.errors import OpsError

QUIET_HOURS = QUIET_MS // 3_600_000


@dataclass(frozen=True, slots=True)
class Change:
    """What a reissue changes; None stays. `now`: the timestamp becomes the current period's start."""

    customer: str | None = None
    timestamp: int | None = None
    now: bool = False


def check_quiet(since_ms: int, now_ms: int, what: str) -> None:
    """Refuses what comes before Stripe's summaries can be believed.

    Raises:
        OpsError: too early.
    """
    if now_ms - since_ms < QUIET_MS:
        until = from_unix(-(-(since_ms + QUIET_MS) // 1000))
        raise OpsError(
            f"the row was {what} less than {QUIET_HOURS} hours ago, and Stripe's summaries lag: try again at {until}"
        )


def changed_row(old: Row, change: Change, account: Account, *, now: int, grace: int) -> Row:
    """The row that is to take the old one's place.

    Args:
        old: the parked row.
        change: what becomes of it.
        account: its account's facts.
        now: Unix seconds.
        grace: Stripe's finalisation grace in seconds.

    Raises:
        OpsError: nothing changes, or Stripe would not bill the new row.
    """
    if not change.now and change.customer is None and change.timestamp is None:
        raise OpsError("say what changes: --customer, --timestamp or --now")
    if change.now and change.timestamp is not None:
        raise OpsError("--timestamp and --now exclude each other")
    new = old.model_copy(update={"customer": change.customer or old.customer})
    if change.now or change.timestamp is not None:
        start = max(period_containing(now, account.anchor).start, account.subscription_start or 0)
        timestamp = start if change.timestamp is None else change.timestamp
        new = new.model_copy(update={"timestamp": timestamp, "carried": _is_carried(old, timestamp, account)})
    if new == old:
        raise OpsError("the new row would be the old one: billing stripe retry sends a row again as it is")
    if new.timestamp > now:
        raise OpsError(f"{from_unix(new.timestamp)} has not come yet: Stripe takes no such timestamp")
    if now >= sendable_until(new.timestamp, account.anchor, grace=grace):
        raise OpsError(
            f"usage at {from_unix(new.timestamp)} can't be billed any more, its invoice is final or it is too old: "
            "--now bills it in the current period"
        )
    return Row.model_validate(new.model_dump())


def _is_carried(row: Row, timestamp: int, account: Account) -> bool:
    used = effective_time(row.hour, account.subscription_start)
    return period_containing(timestamp, account.anchor) != period_containing(used, account.anchor)


def check_absent(entry: Parked, accepted: int, held: int) -> None:
    """Refuses to replace a row that Stripe has, or may have.

    Args:
        entry: the parked row.
        accepted: what Stripe has accepted in its minute otherwise.
        held: what Stripe's summary says.

    Raises:
        OpsError: the summary does not show the row absent.
    """
    if held == accepted:
        return
    if held == accepted + entry.row.value:
        raise OpsError(
            f"Stripe has the row: its summary says {held}, {accepted} without it. billing stripe retry finds it "
            "delivered; a second row would bill it twice"
        )
    raise OpsError(
        f"nobody can tell whether Stripe has the row: its summary says {held}; {accepted} without the row, which is "
        f"{entry.row.value}. Somebody else may report to this meter: find out who; or, once you know that Stripe has "
        "it, billing stripe write-off"
    )


def check_lacking(row: Row, accepted: int, fresh: int, held: int) -> None:
    """Refuses to park a row that Stripe's summary has.

    Args:
        row: the delivered row.
        accepted: what Stripe has accepted in its minute, the row included.
        fresh: how much of that less than three hours ago: the summary may not show it yet.
        held: what Stripe's summary says.

    Raises:
        OpsError: the summary has it, or may have it.
    """
    if held >= accepted:
        raise OpsError(f"Stripe has the row: its summary says {held}, and {accepted} were accepted in that minute")
    if accepted - held < row.value:
        raise OpsError(
            f"another row of that minute is missing: Stripe's summary says {held} of {accepted}, and this row is "
            f"{row.value}. billing stripe reconcile --customer {row.customer} names what is"
        )
    if accepted - fresh - held < row.value:
        raise OpsError(
            f"{fresh} units of that minute were delivered less than {QUIET_HOURS} hours ago, and Stripe's summaries "
            "lag: they may be what is missing. Try again in some hours"
        )
