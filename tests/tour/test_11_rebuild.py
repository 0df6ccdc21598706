"""11. Rebuild: throw the state away and fold it again, on purpose.

`billing verify` counts the usage log once more and compares it with Redis. When the two differ, because somebody has
changed a counter, `billing rebuild` clears the shards, and the aggregator folds them again from Kafka.
"""

from tests.support.platform import PARTITIONS, Platform
from tests.support.usage_event import usage_event


def test_a_rebuilt_state_is_the_same_state(platform: Platform) -> None:
    """Given usage that is counted and billed, when all shards are rebuilt, then all totals are as before."""
    account = platform.new_account()
    platform.publish(usage_event(subject=account, data={"quantity": 3}))
    platform.bills(account, sms_send=3)
    platform.billing("verify")

    said = platform.billing("rebuild", "--all", "--yes")

    assert said.count("no account has less than before") == PARTITIONS
    platform.billing("verify")
    platform.shows(account, sms_send=3)
    assert platform.billed(account) == {"sms.send": 3}
