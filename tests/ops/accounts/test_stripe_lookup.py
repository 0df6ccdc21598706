"""Looking up an account's anchor and start at Stripe."""

import pytest

from metering.account import Account
from ops.accounts.plan import AccountSubscription
from ops.accounts.stripe_lookup import LookedUp, LookupFailure, looked_up

ANCHOR, START = 1_736_899_200, 1_734_220_815
ONE = AccountSubscription("sub_1", "cus_1", None, ANCHOR, START, monthly=True)
NEW = Account(customer="cus_1")


@pytest.mark.parametrize(
    ("found", "known", "facts"),
    [
        ([ONE], NEW, {"anchor": ANCHOR, "subscription_start": START}),
        ([ONE], NEW.model_copy(update={"anchor": 7}), {"subscription_start": START}),
        ([ONE], NEW.model_copy(update={"subscription_start": 7}), {"anchor": ANCHOR}),
        ([ONE, ONE._replace(start=START - 5)], NEW, {"anchor": ANCHOR, "subscription_start": START - 5}),
        ([], Account(customer="cus_1", anchor=1, subscription_start=2), {}),
    ],
)
def test_what_is_not_known_is_taken(found: list[AccountSubscription], known: Account, facts: dict[str, int]) -> None:
    """Known values stay; of several subscriptions, the earliest start counts."""
    assert looked_up(found, known) == LookedUp(facts)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (LookupFailure("a network error"), "were not looked up at Stripe (a network error)"),
        ([], "customer cus_1 has no subscription at Stripe"),
        ([ONE, ONE._replace(anchor=ANCHOR + 60)], "have several anchors (2025-01-15T00:00:00Z, 2025-01-15T00:01:00Z)"),
        ([ONE._replace(monthly=False)], "have none that is monthly"),
    ],
)
def test_what_can_not_be_told_is_said(found: list[AccountSubscription] | LookupFailure, said: str) -> None:
    """The warning names the consequence: Stripe takes usage that it bills to nobody."""
    facts, note = looked_up(found, NEW)
    assert facts == {}
    assert note is not None
    assert said in note
    assert "periods are UTC calendar months, and usage before the subscription would be sent to Stripe" in note


@pytest.mark.parametrize("known", [NEW, Account(customer="cus_1", anchor=1, subscription_start=2)])
def test_a_customer_that_stripe_does_not_know_is_said(known: Account) -> None:
    """The warning comes even if the other values are known."""
    facts, note = looked_up(LookupFailure("No such customer: 'cus_1'", unknown=True), known)
    assert facts == {}
    assert note == "Stripe knows no customer cus_1, and will bill none of its usage: check the id"
