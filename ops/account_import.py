"""What Stripe's subscriptions say of accounts, and which changes that means. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from metering.account import Account
from metering.rfc3339 import from_unix
from ops.account_change import changed, check_account_id
from ops.errors import OpsError


class Subscribed(NamedTuple):
    """One subscription. `account`: what its customer's metadata names, None for nothing. Times in Unix seconds."""

    subscription: str
    customer: str
    account: str | None
    anchor: int
    start: int
    monthly: bool


class Change(NamedTuple):
    """An account that becomes another; `before` None for one that was not known."""

    account: str
    before: Account | None
    after: Account


class HeldBack(NamedTuple):
    """What is not imported, and why."""

    what: str
    why: str


@dataclass(slots=True)
class ImportPlan:
    """What an import would do. `same`: accounts that are as Stripe says already."""

    changes: list[Change] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)
    same: int = 0


def plan_import(
    found: Iterable[Subscribed], accounts: Mapping[str, Account], key: str, *, with_start: bool
) -> ImportPlan:
    """The changes that bring customers and anchors of subscriptions to their accounts.

    Args:
        found: the subscriptions that count.
        accounts: every account there is.
        key: the metadata key that names an account.
        with_start: take the subscription's start too.
    """
    plan = ImportPlan()
    wanted: defaultdict[str, list[Subscribed]] = defaultdict(list)
    for each in found:
        fault = _fault(each, key)
        if fault is None and each.account is not None:
            wanted[each.account].append(each)
        else:
            plan.held_back.append(HeldBack(f"{each.subscription} of {each.customer}", fault or ""))
    proposed: dict[str, Account] = {}
    for account, subscriptions in sorted(wanted.items()):
        why = _disagreement(subscriptions, with_start=with_start)
        if why is None:
            proposed[account] = _after(accounts, account, subscriptions[0], with_start=with_start)
        else:
            plan.held_back.append(HeldBack(f"account {account}", why))
    _hold_back_claims(plan, proposed, accounts)
    for account, after in proposed.items():
        if accounts.get(account) == after:
            plan.same += 1
        else:
            plan.changes.append(Change(account, accounts.get(account), after))
    return plan


def _fault(each: Subscribed, key: str) -> str | None:
    if each.account is None:
        return f"the customer's metadata has no {key!r}"
    try:
        check_account_id(each.account)
    except OpsError as error:
        return str(error)
    return None if each.monthly else "it is not billed every month: periods here are months"


def _disagreement(subscriptions: list[Subscribed], *, with_start: bool) -> str | None:
    customers = sorted({each.customer for each in subscriptions})
    if len(customers) > 1:
        return f"several customers name it: {', '.join(customers)}"
    anchors = sorted({each.anchor for each in subscriptions})
    if len(anchors) > 1:
        return f"its subscriptions have several anchors: {', '.join(map(from_unix, anchors))}"
    starts = sorted({each.start for each in subscriptions})
    if with_start and len(starts) > 1:
        return f"its subscriptions have several starts: {', '.join(map(from_unix, starts))}"
    return None


def _after(accounts: Mapping[str, Account], account: str, each: Subscribed, *, with_start: bool) -> Account:
    changes: dict[str, str | int | None] = {"customer": each.customer, "anchor": each.anchor}
    if with_start:
        changes["subscription_start"] = each.start
    return changed({account: accounts[account]} if account in accounts else {}, account, changes)


def _hold_back_claims(plan: ImportPlan, proposed: dict[str, Account], accounts: Mapping[str, Account]) -> None:
    """Drops changes after which a customer would have two accounts, until none has."""
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
