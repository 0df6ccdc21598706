"""The judgement of the log's records."""

import json

from tests.chaos.log_fates import USAGE_TOPIC, home_of, log_fates
from tests.chaos.truth import Usage, utc_now
from tests.chaos.verdict import Fates
from tests.support.stack import LoggedRecord

PARTITIONS = 4
HOME = home_of("a", PARTITIONS)
AWAY = (HOME + 1) % PARTITIONS


def logged(partition: int, offset: int, event_id: str) -> LoggedRecord:
    """An event of account a."""
    event = Usage(event_id, "a", "sms.send", 1, utc_now()).as_event()
    return LoggedRecord(partition, offset, json.dumps(event).encode(), {})


def test_every_record_has_one_fate() -> None:
    """Given an event twice at home, another's stray with its copy, and a reject, each is read and judged once."""
    log = [
        logged(HOME, 0, "u1"),
        logged(HOME, 1, "u1"),
        logged(AWAY, 0, "u2"),
        logged(HOME, 2, "u2"),
        LoggedRecord(AWAY, 1, b"{", {}),
    ]

    fates, letters = log_fates(log, {b"{": "invalid_json"}, PARTITIONS)

    assert fates[HOME] == Fates(read=3, counted=2, duplicate=1)
    assert fates[AWAY] == Fates(read=2, rerouted=1, dead=1)
    assert letters == {(USAGE_TOPIC, AWAY, 1): "invalid_json"}
