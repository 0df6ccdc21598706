"""5. Period and anchor: which month a unit belongs to.

A billing period is a month that begins at the account's anchor, which is Stripe's billing cycle anchor. An event
belongs to the period of its own time, `time`, not of the time at which it arrives.
"""

import time

from metering.rfc3339 import from_unix
from tests.support.platform import Platform
from tests.support.usage_event import usage_event

HOUR = 3600


def test_an_event_counts_in_the_period_of_its_own_time(platform: Platform) -> None:
    """Given a period that began two hours ago, when an older event comes late, then it is in the period before."""
    began = int(time.time()) // HOUR * HOUR - 2 * HOUR
    account = platform.new_account(anchor=began)

    platform.publish(
        usage_event(subject=account, id="now"),
        usage_event(subject=account, id="late", time=from_unix(began - HOUR), data={"quantity": 7}),
    )

    platform.shows(account, sms_send=1)
    current, before = platform.get("/api/billing/periods", account).json()["periods"][:2]
    assert current["start"] == before["end"] == from_unix(began)
    assert [each["usage"][0]["total"] for each in (current, before)] == [1, 7]
