"""12. Reconcile: what we say that Stripe has, and what Stripe says.

Accepted is not yet billed. The last page compares the two: the push log's sums and Stripe's own summaries, by customer
and meter. The worker does it every hour by itself; a person may ask at any time.
"""

import json

from tests.support.eventually import eventually
from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def test_our_sums_are_stripes_sums(platform: Platform) -> None:
    """Given usage that was billed, when it is reconciled, then nothing differs."""
    account = platform.new_account()
    platform.publish(usage_event(subject=account, data={"quantity": 11}))
    platform.bills(account, sms_send=11)
    reconcile = ("stripe", "reconcile", "--customer", platform.customers[account], "--json")

    def says_eleven() -> bool:
        answer = json.loads(platform.billing(*reconcile))
        assert answer["equal"]
        return bool(answer["accepted"] == 11)

    eventually(says_eleven, 30, "Stripe's answer is in the push log")
