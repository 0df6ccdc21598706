"""The plan of an import from Stripe's subscriptions."""

from typing import Any

import pytest

from metering.account import Account
from ops.accounts.plan import AccountChange, AccountSubscription, ImportPlan, plan_import

ANCHOR = 1_736_899_200  # 2025-01-15T00:00:00Z
KNOWN = {"one": Account(customer="cus_1", anchor=ANCHOR), "two": Account(customer="cus_2")}


def subscribed(number: int, account: str | None, **changes: Any) -> AccountSubscription:
    """A subscription of a customer of its own."""
    return AccountSubscription(f"sub_{number}", f"cus_{number}", account, ANCHOR, ANCHOR, monthly=True)._replace(
        **changes
    )


def planned(*found: AccountSubscription, with_start: bool = False) -> ImportPlan:
    """The plan, with two accounts known."""
    return plan_import(found, KNOWN, "account", with_start=with_start)


def test_customers_and_anchors_come_to_their_accounts() -> None:
    """A new account, one that changes, and one that is as Stripe says already; a start stays unless it is asked for."""
    found = (subscribed(1, "one"), subscribed(2, "two"), subscribed(3, "three"))
    plan = planned(*found)
    assert plan == ImportPlan(
        [
            AccountChange("three", None, Account(customer="cus_3", anchor=ANCHOR)),
            AccountChange("two", KNOWN["two"], Account(customer="cus_2", anchor=ANCHOR)),
        ],
        [],
        same=1,
    )
    assert {each.after.subscription_start for each in planned(*found, with_start=True).changes} == {ANCHOR}


def test_of_several_subscriptions_the_first_start_counts() -> None:
    """From the earliest start on, some usage may be invoiced."""
    found = subscribed(3, "three"), subscribed(3, "three", start=ANCHOR - 60)
    (change,) = planned(*found, with_start=True).changes
    assert change.after.subscription_start == ANCHOR - 60


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([subscribed(3, None)], "the customer's metadata has no 'account'"),
        ([subscribed(3, "no id")], "'no id' is not an account id"),
        ([subscribed(3, "three", monthly=False)], "it is not billed every month"),
        ([subscribed(3, "three"), subscribed(4, "three")], "several customers name it: cus_3, cus_4"),
        ([subscribed(3, "three"), subscribed(3, "three", anchor=ANCHOR + 60)], "several anchors: 2025-01-15T00:00:00Z"),
        ([subscribed(1, "three")], "customer cus_1 would have two accounts, one too"),
    ],
)
def test_what_cannot_be_told_is_held_back(found: list[AccountSubscription], why: str) -> None:
    """The plan names the reason; all other changes are made."""
    plan = planned(*found, subscribed(5, "five"))
    assert [each.account for each in plan.changes] == ["five"]
    (held_back,) = plan.held_back
    assert why in held_back.why


def test_two_accounts_may_change_places() -> None:
    """Each account takes the other's customer; only the final state counts."""
    plan = planned(subscribed(1, "two"), subscribed(2, "one"))
    assert [(each.account, each.after.customer) for each in plan.changes] == [("one", "cus_2"), ("two", "cus_1")]


def test_a_change_that_waits_for_one_that_is_held_back_is_held_back_too() -> None:
    """Account three wants two's customer, but two can't give it up, because one keeps what two wants."""
    plan = planned(subscribed(2, "three"), subscribed(1, "two"))
    assert plan.changes == []
    assert {each.what for each in plan.held_back} == {"account two", "account three"}
