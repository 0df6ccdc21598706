"""What docs/publishing shows is what is counted."""

import json
import re
from pathlib import Path

from metering.reject import RejectReason
from metering.rfc3339 import to_unix
from metering.usage_event import identity_member
from tests.metering.reading import counted

PUBLISHING = Path(__file__).parents[2] / "docs" / "publishing"
TIME = to_unix("2026-11-22T17:00:00Z")


def examples() -> list[dict[str, str]]:
    """Each example record, by the names that stand before a colon; a line that is indented goes on.

    Records stand in blocks of text.
    """
    page = (PUBLISHING / "event.md").read_text()
    blocks = re.findall(r"^```text\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\n +", " ", block).splitlines() for block in blocks]
    return [{name: text.strip() for name, text in (line.split(":", 1) for line in block)} for block in lines]


def test_the_two_example_records_are_the_same_event() -> None:
    """One in either content mode."""
    structured, binary = examples()
    events = []
    for example in (structured, binary):
        value = example.pop("value").encode()
        assert example.pop("key") == "acct_1"
        events.append(counted(value, TIME * 1000, [(name, text.encode()) for name, text in example.items()]))

    first, second = events
    assert first == second
    assert first.member == identity_member("/voice/eu-1", "call-5f2", "voice.outbound", "acct_1")
    assert (first.account, first.time, first.quantity) == ("acct_1", TIME, 1)


def test_every_reason_is_in_the_table() -> None:
    """Of those that an event can have."""
    named = re.findall(r"`(\w+)`", (PUBLISHING / "refused.md").read_text())
    assert {reason.value for reason in RejectReason} <= set(named)


def test_the_readme_s_event_is_counted() -> None:
    """Structured, without any header."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = [
        block for block in re.findall(r"```json\n(.*?)```", readme, flags=re.DOTALL) if "specversion" in block
    ]

    assert counted(example.encode(), TIME * 1000).quantity == json.loads(example)["data"]["quantity"]
