"""6. Flush: Redis may lose everything.

Redis holds nothing that Kafka does not hold. When it is empty, the aggregator folds the usage log from its beginning.
Until that is done, readers get 503.
"""

from tests.support.eventually import eventually
from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def test_after_a_flush_the_totals_come_back_and_are_never_smaller(platform: Platform) -> None:
    """Given a total of 9, when Redis is flushed, then the API answers 503 for a while, and then 9 again."""
    account = platform.new_account()
    platform.publish(usage_event(subject=account, data={"quantity": 9}))
    platform.shows(account, sms_send=9)
    answers = set()

    platform.flush_redis()

    def is_back() -> bool:
        answer = platform.get("/api/billing/usage", account)
        answers.add((answer.status_code, answer.json()["usage"][0]["total"] if answer.ok else None))
        return answer.ok

    eventually(is_back, 30, "the API answers again")
    assert answers == {(503, None), (200, 9)}


def test_what_was_billed_is_not_billed_again(platform: Platform) -> None:
    """Given usage that Stripe has, when Redis is flushed, then the push log says so, and only what is new is sent."""
    account = platform.new_account()
    platform.publish(usage_event(subject=account, id="before", data={"quantity": 4}))
    platform.bills(account, sms_send=4)

    platform.flush_redis()
    platform.publish(usage_event(subject=account, id="after"))

    platform.bills(account, sms_send=5)
