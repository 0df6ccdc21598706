"""3. Dead letter: what can't be counted is kept, with the reason.

A failure has one fate: it is retried, rejected or it stops its shard. An event that nobody can count is rejected. It
becomes a dead letter in a topic of its own, where a person finds it, mends it and publishes it again.
"""

import json
from typing import Any

from tests.support.eventually import eventually
from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def open_letters(platform: Platform, source: str) -> list[dict[str, Any]]:
    """The dead letters that nobody has looked after, of what one source has sent."""
    found = json.loads(platform.billing("dlq", "list", "--source", source, "--json"))
    letters: list[dict[str, Any]] = found["newest"]
    return letters


def test_an_unknown_meter_is_a_dead_letter_and_the_rest_is_counted(platform: Platform) -> None:
    """Given a fax between two SMS, when they are published, then the SMS count and the fax is a dead letter."""
    account = platform.new_account()
    source = f"/tour/{account}"
    sms, fax = usage_event(subject=account, id="SM1"), usage_event(subject=account, type="fax.send", source=source)

    platform.publish(sms, fax, usage_event(subject=account, id="SM2"))

    platform.shows(account, sms_send=2)
    (letter,) = open_letters(platform, source)
    assert (letter["reason"], letter["account"]) == ("unknown_meter", account)


def test_a_mended_letter_is_counted(platform: Platform) -> None:
    """Given a dead letter, when a person redrives it under the right meter, then it counts, and is no longer open."""
    account = platform.new_account()
    source = f"/tour/{account}"
    platform.publish(usage_event(subject=account, type="sms.snd", source=source))
    eventually(lambda: open_letters(platform, source), what="the dead letter")

    platform.billing("dlq", "redrive", "--source", source, "--set", "type=sms.send", "--yes")

    platform.shows(account, sms_send=1)
    assert open_letters(platform, source) == []
