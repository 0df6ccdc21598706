"""2. Counted once: an event may be published as often as one likes.

Networks lose answers, so a careful producer sends again. The platform knows an event by its identity: `source`, `id`,
`type` and `subject` together. The second event with the same identity is a duplicate and changes nothing.
"""

from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def test_the_same_event_three_times_counts_once(platform: Platform) -> None:
    """Given an event, when it is published three times, then it counts once."""
    account = platform.new_account()
    event = usage_event(subject=account, id="SM1", data={"quantity": 2})

    platform.publish(event, event, event)
    platform.publish(usage_event(subject=account, id="the last one"))

    platform.shows(account, sms_send=3)


def test_another_id_is_another_event(platform: Platform) -> None:
    """Given two calls, when they differ in nothing but the id, then both count."""
    account = platform.new_account()

    platform.publish(*(usage_event(subject=account, type="voice.inbound", id=name) for name in ("CA1", "CA2")))

    platform.shows(account, voice_inbound=2)
