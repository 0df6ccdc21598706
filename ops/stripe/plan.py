"""Decides which rows an order is for, and whether it makes sense, before anything is appended. Pure.

The fold of the push log has the final word (`metering/push_fold.py`). The checks here explain in advance why it would
refuse an order, and what to do instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from metering.account import Account
from metering.billing_time import sendable_until
from metering.bucket import effective_time
from metering.meters import BY_NAME
from metering.outcome import ParkReason
from metering.period import period_containing
from metering.push_fold import QUIET_MS, Parked, may_retry
from metering.rfc3339 import from_unix
from metering.row import Row
from ops.console.errors import OpsError
from ops.stripe.parked import ParkedRow
from stripe_sync.stripe_api.summaries import Presence, presence

QUIET_HOURS = QUIET_MS // 3_600_000
Step = TypeVar("Step")


@dataclass(frozen=True, slots=True)
class Change:
    """The changes of a reissue; None changes nothing. `now`: the timestamp becomes the current period's start.

    `timestamp` is in Unix seconds.
    """

    customer: str | None = None
    timestamp: int | None = None
    now: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Selects parked rows: one, by the beginning of its identifier; all that pass every filter; or all."""

    identifier: str | None = None
    reasons: frozenset[ParkReason] = frozenset()
    meters: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    everything: bool = False

    def check(self) -> None:
        """Refuses a choice that selects nothing, or in two ways at once.

        Raises:
            OpsError: the message says what to write instead.
        """
        filtered = bool(self.reasons or self.meters or self.accounts)
        if (self.identifier is not None) + filtered + self.everything != 1:
            raise OpsError(
                "say which rows: one identifier; or --reason, --meter, --account, together or alone; or --all"
            )
        if unknown := self.meters - BY_NAME.keys():
            raise OpsError(f"there is no meter {', '.join(sorted(unknown))}: {', '.join(BY_NAME)}")

    def takes(self, entry: Parked) -> bool:
        """Returns whether a row passes the filters."""
        return (
            (not self.reasons or entry.reason in self.reasons)
            and (not self.meters or entry.row.meter in self.meters)
            and (not self.accounts or entry.row.account in self.accounts)
        )


@dataclass(frozen=True, slots=True)
class Plan(Generic[Step]):
    """The rows to order (`steps`), with the data for their orders; and the rows `left` out, with the reasons."""

    steps: list[tuple[ParkedRow, Step]]
    left: list[tuple[ParkedRow, str]]


def plan_each(rows: Sequence[ParkedRow], judge: Callable[[ParkedRow], Step]) -> Plan[Step]:
    """Judges row by row. A row that can't be ordered now is left out, and does not stop the others."""
    plan: Plan[Step] = Plan([], [])
    for row in rows:
        try:
            plan.steps.append((row, judge(row)))
        except OpsError as error:
            plan.left.append((row, str(error)))
    return plan


def check_retry(entry: Parked, now_ms: int) -> None:
    """Refuses a retry that the fold would ignore.

    Raises:
        OpsError: it is too early.
    """
    if not may_retry(entry, now_ms):
        check_quiet(entry.parked_ms, now_ms, "parked")


def by_customer(accounts: Mapping[str, Account]) -> dict[str, dict[str, Account]]:
    """Returns the accounts that claim a Stripe customer, by customer and name."""
    claims = dict[str, dict[str, Account]]()
    for name, facts in accounts.items():
        if facts.customer is not None:
            claims.setdefault(facts.customer, {})[name] = facts
    return claims


def next_round(
    waiting: Sequence[tuple[ParkedRow, Row]], held: Mapping[str, str], most: int
) -> list[tuple[ParkedRow, Row]]:
    """Selects the replacements that may be ordered at once.

    A minute of a customer and meter takes only one new row, and only if no third row holds that minute.

    Args:
        waiting: pairs of a parked row and its replacement.
        held: the identifiers of the rows that hold a minute, by minute key.
        most: the most replacements in one round.
    """
    chosen, minutes = list[tuple[ParkedRow, Row]](), set[str]()
    for old, new in waiting:
        if len(chosen) == most:
            break
        if new.minute_key in minutes or held.get(new.minute_key, old.identifier) != old.identifier:
            continue
        minutes.add(new.minute_key)
        chosen.append((old, new))
    return chosen


def check_quiet(since_ms: int, now_ms: int, what: str) -> None:
    """Refuses an order while Stripe's summaries may still lag behind.

    Raises:
        OpsError: it is too early.
    """
    if now_ms - since_ms < QUIET_MS:
        until = from_unix(-(-(since_ms + QUIET_MS) // 1000))
        raise OpsError(
            f"the row was {what} less than {QUIET_HOURS} hours ago, and Stripe's summaries lag: try again at {until}"
        )


def changed_row(old: Row, change: Change, account: Account, *, now: int, grace: int) -> Row:
    """Returns the row that replaces the old one.

    Args:
        old: the parked row.
        change: the changes that the person wants.
        account: the row's account.
        now: the time, Unix seconds.
        grace: Stripe's finalisation grace, seconds.

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
    used = effective_time(row.hour, account.opening)
    return period_containing(timestamp, account.anchor) != period_containing(used, account.anchor)


def check_sole(accounts: Mapping[str, Account], account: str, customer: str) -> None:
    """Refuses a customer that another account claims: its usage would be mixed with the other account's.

    Raises:
        OpsError: another account claims the customer.
    """
    others = sorted(name for name, facts in accounts.items() if name != account and facts.customer == customer)
    if others:
        raise OpsError(
            f"customer {customer} is claimed by account {', '.join(others)}: take it from there first (billing "
            "accounts set), or choose another --customer"
        )


def check_absent(entry: Parked, accepted: int, held: int) -> None:
    """Refuses to replace a row that Stripe has, or may have.

    Args:
        entry: the parked row.
        accepted: the units of other rows that Stripe has accepted in its minute.
        held: the units in Stripe's summary of that minute.

    Raises:
        OpsError: the summary does not prove that the row is absent.
    """
    found = presence(held, accepted, entry.row.value)
    if found is Presence.ABSENT:
        return
    if found is Presence.HELD:
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
    """Refuses to park a row that Stripe's summary contains.

    Args:
        row: the delivered row.
        accepted: the units that Stripe has accepted in its minute, the row included.
        fresh: the units of these that were delivered less than three hours ago: the summary may not show them yet.
        held: the units in Stripe's summary of that minute.

    Raises:
        OpsError: the summary contains the row, or may contain it.
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
