"""8. Retry: an answer that never came.

Stripe may have taken a row whose answer was lost. The worker sends the same bytes under the same identifier again.
Stripe refuses an identifier that it knows, and that refusal means: delivered.
"""

from tests.support.eventually import eventually
from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def test_a_lost_answer_bills_nothing_twice(platform: Platform) -> None:
    """Given that Stripe takes a row and its answer is lost twice, when it is sent again, then Stripe has it once."""
    account = platform.new_account()
    match = {"path": "/v2/billing/meter_events", "customer": platform.customers[account]}
    platform.stripe.control("faults", [{"fault": "accept_then_drop", "match": match, "times": 2}])
    resent = platform.stripe.control("checks")["resent"]["count"]

    platform.publish(usage_event(subject=account, data={"quantity": 6}))

    eventually(lambda: platform.stripe.control("checks")["resent"]["count"] > resent, 30, "the row is sent again")
    platform.bills(account, sms_send=6)
    assert platform.stripe.control("checks")["conflicting"]["count"] == 0  # the same identifier, the same bytes
