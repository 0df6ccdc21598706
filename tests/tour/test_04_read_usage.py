"""4. Read usage: a customer sees his totals within seconds.

The API answers from Redis, and only while Redis holds all that was published. Else it answers 503. It never answers a
total that is too small.
"""

from datetime import UTC, datetime

from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def test_a_key_reads_its_accounts_totals(platform: Platform) -> None:
    """Given usage on two meters, when the account's key asks, then it gets all six meters in their order."""
    account = platform.new_account()
    platform.publish(
        usage_event(subject=account, type="sms.send", data={"quantity": 5}),
        usage_event(subject=account, type="did.monthly"),
    )
    platform.shows(account, sms_send=5, did_monthly=1)

    answer = platform.get("/api/billing/usage", account)

    assert answer.json()["usage"] == [
        {"meter": "sms.send", "displayName": "SMS Sent", "total": 5},
        {"meter": "sms.receive", "displayName": "SMS Received", "total": 0},
        {"meter": "voice.outbound", "displayName": "Outbound Calls", "total": 0},
        {"meter": "voice.inbound", "displayName": "Inbound Calls", "total": 0},
        {"meter": "voice.ai", "displayName": "AI-Powered Calls", "total": 0},
        {"meter": "did.monthly", "displayName": "Monthly DID Fee", "total": 1},
    ]
    assert answer.json()["message"] == "Usage for current billing period"


def test_an_answer_says_of_when_it_is(platform: Platform) -> None:
    """Given a total, when it is read, then a header names the moment up to which everything is counted."""
    account = platform.new_account()
    platform.shows(account)

    as_of = platform.get("/api/billing/usage", account).headers["X-Usage-As-Of"]

    assert abs((datetime.now(UTC) - datetime.fromisoformat(as_of)).total_seconds()) < 60


def test_without_a_key_there_is_no_answer(platform: Platform) -> None:
    """Given no key, when usage is asked for, then the answer is 401, as a problem with a code."""
    answer = platform.get("/api/billing/usage", None)

    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
