"""7. Bill a bucket: from a count to a row at Stripe.

A bucket is one hour of one account and one meter. The Stripe worker makes a row of what is due: from the units that
earlier rows have claimed up to the units counted. It writes the row to the push log, reads it back, and sends it then.
"""

from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def test_what_is_counted_is_billed(platform: Platform) -> None:
    """Given usage on two meters, when the worker has made its round, then Stripe has the same sums."""
    account = platform.new_account()

    platform.publish(
        usage_event(subject=account, id="1", data={"quantity": 100}),
        usage_event(subject=account, id="2", type="voice.outbound", data={"quantity": 3}),
    )

    platform.bills(account, sms_send=100, voice_outbound=3)


def test_a_bucket_that_grows_is_billed_from_where_it_was(platform: Platform) -> None:
    """Given a bucket of 100 units that Stripe has, when 20 more are counted, then the next row is of those 20."""
    account = platform.new_account()
    platform.publish(usage_event(subject=account, id="first", data={"quantity": 100}))
    platform.bills(account, sms_send=100)

    platform.publish(usage_event(subject=account, id="second", data={"quantity": 20}))

    platform.bills(account, sms_send=120)
