"""Mending an event: what is set, what stays, and what can't be mended."""

import json

import pytest

from ops.dlq.fix_up import UnmendableError, mend, parse_fix, restamp

NOON = 1_781_956_800


@pytest.mark.parametrize(
    ("before", "fix", "after"),
    [
        ({"type": "a"}, "type=sms.send", {"type": "sms.send"}),
        ({}, "subject=123", {"subject": "123"}),
        ({}, "id=a=b", {"id": "a=b"}),
        ({"data": {"quantity": "2", "x": 1}}, "data.quantity=2", {"data": {"quantity": 2, "x": 1}}),
        ({"data": None}, "data.quantity=2", {"data": {"quantity": 2}}),
        ({}, "/data/note=so it is", {"data": {"note": "so it is"}}),
        ({"\u00e9": "\u00e9"}, "type=x", {"\u00e9": "\u00e9", "type": "x"}),
    ],
)
def test_a_fix_sets_one_attribute(before: dict[str, object], fix: str, after: dict[str, object]) -> None:
    """CloudEvents attributes are texts; members of data are JSON where they can be."""
    assert json.loads(mend(json.dumps(before).encode(), [parse_fix(fix)])) == after


def test_without_a_fix_the_bytes_stay() -> None:
    """Even those that are no event."""
    assert mend(b' {"a":1, "a":2}\n', []) == b' {"a":1, "a":2}\n'


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"[]", b'"text"', b"\xff", b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 9999]
)
def test_what_is_no_event_can_not_be_mended(value: bytes | None) -> None:
    """Nobody guesses."""
    with pytest.raises(UnmendableError):
        mend(value, [parse_fix("type=sms.send")])


def test_a_restamped_event_remembers_its_first_time() -> None:
    """However often it is restamped."""
    once, first = restamp(b'{"time":"2026-01-01T00:00:00Z","id":"1"}', NOON)
    twice, second = restamp(once, NOON + 60)

    assert (first, second) == ("2026-01-01T00:00:00Z", "2026-06-20T12:00:00Z")
    assert json.loads(twice) == {"time": "2026-06-20T12:01:00Z", "id": "1", "originaltime": "2026-01-01T00:00:00Z"}
