"""Plans an import: turns Stripe's subscriptions into changes to accounts. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from metering.account import Account
from metering.rfc3339 import from_unix
from ops.accounts.change import changed
from ops.console.arguments import check_account_id
from ops.console.errors import OpsError


class AccountSubscription(NamedTuple):
    """One subscription. `account` is from its customer's metadata; None if it names none. Times are Unix seconds."""

    subscription: str
    customer: str
    account: str | None
    anchor: int
    start: int
    monthly: bool


class AccountChange(NamedTuple):
    """One change to an account; `before` is None for a new account."""

    account: str
    before: Account | None
    after: Account


class HeldBack(NamedTuple):
    """A subscription or account that is not imported, and the reason."""

    what: str
    why: str


@dataclass(slots=True)
class ImportPlan:
    """The steps of an import. `same` counts the accounts that already agree with Stripe."""

    changes: list[AccountChange] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)
    same: int = 0


def plan_import(
    found: Iterable[AccountSubscription], accounts: Mapping[str, Account], key: str, *, with_start: bool
) -> ImportPlan:
    """Returns the changes that copy the subscriptions' customers and anchors to their accounts.

    Args:
        found: the subscriptions to import.
        accounts: all accounts.
        key: the metadata key that names an account.
        with_start: also take the start of the account's earliest subscription.
    """
    plan = ImportPlan()
    wanted: defaultdict[str, list[AccountSubscription]] = defaultdict(list)
    for each in found:
        fault = _fault(each, key)
        if fault is None and each.account is not None:
            wanted[each.account].append(each)
        else:
            plan.held_back.append(HeldBack(f"{each.subscription} of {each.customer}", fault or ""))
    proposed: dict[str, Account] = {}
    for account, subscriptions in sorted(wanted.items()):
        why = _disagreement(subscriptions)
        if why is None:
            start = min(each.start for each in subscriptions) if with_start else None
            proposed[account] = _after(accounts, account, subscriptions[0], start)
        else:
            plan.held_back.append(HeldBack(f"account {account}", why))
    _hold_back_claims(plan, proposed, accounts)
    for account, after in proposed.items():
        if accounts.get(account) == after:
            plan.same += 1
        else:
            plan.changes.append(AccountChange(account, accounts.get(account), after))
    return plan


def _fault(each: AccountSubscription, key: str) -> str | None:
    if each.account is None:
        return f"the customer's metadata has no {key!r}"
    try:
        check_account_id(each.account)
    except OpsError as error:
        return str(error)
    return None if each.monthly else "it is not billed every month: periods here are months"


def _disagreement(subscriptions: list[AccountSubscription]) -> str | None:
    customers = sorted({each.customer for each in subscriptions})
    if len(customers) > 1:
        return f"several customers name it: {', '.join(customers)}"
    anchors = sorted({each.anchor for each in subscriptions})
    if len(anchors) > 1:
        return f"its subscriptions have several anchors: {', '.join(map(from_unix, anchors))}"
    return None


def _after(accounts: Mapping[str, Account], account: str, each: AccountSubscription, start: int | None) -> Account:
    changes: dict[str, str | int | None] = {"customer": each.customer, "anchor": each.anchor}
    if start is not None:
        changes["subscription_start"] = start
    return changed({account: accounts[account]} if account in accounts else {}, account, changes)


def _hold_back_claims(plan: ImportPlan, proposed: dict[str, Account], accounts: Mapping[str, Account]) -> None:
    """Drops changes that would give one customer to two accounts, until no such change is left."""
    while True:
        owners: defaultdict[str, list[str]] = defaultdict(list)
        for account, facts in {**accounts, **proposed}.items():
            if facts.customer is not None:
                owners[facts.customer].append(account)
        claimed = {
            account: facts.customer
            for account, facts in proposed.items()
            if facts.customer is not None and len(owners[facts.customer]) > 1 and accounts.get(account) != facts
        }
        if not claimed:
            return
        for account, customer in claimed.items():
            del proposed[account]
            others = ", ".join(each for each in sorted(owners[customer]) if each != account)
            why = f"customer {customer} would have two accounts, {others} too: take it from there first"
            plan.held_back.append(HeldBack(f"account {account}", why))
