"""10. Replay: publish again what was published before.

Who is not sure whether events arrived publishes them again. The aggregator remembers each identity for longer than it
takes an event at all, so that a replay adds what was missing and nothing else.
"""

import json
from pathlib import Path

from tests.support.platform import Platform
from tests.support.usage_event import usage_event


def test_a_replay_adds_what_was_missing(platform: Platform, tmp_path: Path) -> None:
    """Given a file of three events of which two are counted, when it is replayed, then the third is counted too."""
    account = platform.new_account()
    events = [usage_event(subject=account, id=name) for name in ("one", "two", "three")]
    platform.publish(*events[:2])
    platform.shows(account, sms_send=2)
    file = tmp_path / "events.jsonl"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events))

    platform.billing("replay", "--file", file, "--progress", tmp_path / "progress.json")

    platform.shows(account, sms_send=3)


def test_a_dry_run_tells_before(platform: Platform, tmp_path: Path) -> None:
    """Given events that are all counted, when a replay of the log is tried, then it says that nothing is new."""
    account = platform.new_account()
    platform.publish(usage_event(subject=account))
    platform.shows(account, sms_send=1)

    foretold = json.loads(platform.billing("replay", "--account", account, "--dry-run", "--json"))

    assert (foretold["new"], foretold["duplicates"]) == (0, 1)
