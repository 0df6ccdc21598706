"""9. Parked row: what Stripe refuses for good waits for a person.

One row that can't be billed never holds up the others. It is parked with Stripe's reason, `billing status` tells of it,
and a person orders what becomes of it.
"""

import json
from typing import Any

from tests.support.eventually import eventually
from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def parked(platform: Platform, account: str) -> list[dict[str, Any]]:
    """The account's rows that wait for a person."""
    rows = json.loads(platform.billing("stripe", "parked", "--json"))
    return [row for row in rows if row["account"] == account]


def test_a_customer_that_stripe_does_not_know(platform: Platform) -> None:
    """Given a customer that is gone, when a row is refused, then it waits until a person has decided."""
    account, other = platform.new_account(), platform.new_account()
    platform.stripe.client().v1.customers.delete(platform.customers[account])

    platform.publish(usage_event(subject=account, data={"quantity": 8}), usage_event(subject=other))

    platform.bills(other, sms_send=1)
    (row,) = eventually(lambda: parked(platform, account), 30, "the row is parked")
    assert (row["reason"], row["units"]) == ("unknown_customer", 8)

    platform.billing("stripe", "write-off", row["identifier"], "--why", "the customer left", "--who", "Ada", "--yes")

    eventually(lambda: not parked(platform, account), 30, "the row is written off")
    assert platform.billed(account) == {}
