"""Mending an event: changed attributes, unchanged ones, and events that can't be mended."""

import json

import pytest

from ops.dlq.fix_up import UnmendableError, mend, parse_fix, restamp

NOON = 1_781_956_800
TRACE = [("trace", b"1")]
BINARY = [
    ("ce_id", b"1"),
    ("ce_type", b"fax"),
    *TRACE,
    ("ce_time", b"2026-01-01T00:00:00Z"),
    ("content-type", b"application/json"),
]


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
        ({"data_base64": "eyJ4IjoxfQ=="}, "data.quantity=2", {"data": {"x": 1, "quantity": 2}}),
        ({"data_base64": "!", "data": {"x": 1}}, "data.quantity=2", {"data": {"x": 1, "quantity": 2}}),
        ({"data_base64": "!"}, "data.quantity=2", {"data": {"quantity": 2}}),
        ({"data_base64": "!"}, "type=x", {"data_base64": "!", "type": "x"}),
    ],
)
def test_a_fix_sets_one_attribute(before: dict[str, object], fix: str, after: dict[str, object]) -> None:
    """CloudEvents attributes are texts; values within data are JSON if possible."""
    mended = mend(json.dumps(before).encode(), TRACE, [parse_fix(fix)])
    assert (json.loads(mended.value), mended.headers) == (after, TRACE)


def test_without_a_fix_the_bytes_stay() -> None:
    """This also holds for bytes that are not an event."""
    assert mend(b' {"a":1, "a":2}\n', TRACE, []) == (b' {"a":1, "a":2}\n', TRACE)
    assert mend(None, BINARY, []) == (b"", BINARY)


@pytest.mark.parametrize(
    ("value", "fix", "data"),
    [
        (b'{"quantity": 2}', "type=sms.send", {"data": {"quantity": 2}}),
        (b'{"value": 2}', "data.quantity=2", {"data": {"value": 2, "quantity": 2}}),
        (b"\x02\x0a", "data.quantity=2", {"data": {"quantity": 2}}),
        (b"\x02\x0a", "type=sms.send", {"data_base64": "Ago="}),
        (None, "type=sms.send", {}),
    ],
)
def test_an_event_in_binary_mode_is_mended_in_structured_mode(value: bytes, fix: str, data: dict[str, object]) -> None:
    """The value then holds the whole event, and the headers say so; foreign headers stay."""
    mended = mend(value, BINARY, [parse_fix(fix)])

    event = json.loads(mended.value)
    assert event | {"type": "sms.send"} == {"id": "1", "time": "2026-01-01T00:00:00Z", "type": "sms.send"} | data
    assert mended.headers == [*TRACE, ("content-type", b"application/cloudevents+json")]
    restamped, original = restamp(value, BINARY, NOON)
    assert original == "2026-01-01T00:00:00Z"
    assert json.loads(restamped.value)["time"] == "2026-06-20T12:00:00Z"


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"[]", b'"text"', b"\xff", b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 9999]
)
def test_what_is_no_event_can_not_be_mended(value: bytes | None) -> None:
    """The command does not guess."""
    with pytest.raises(UnmendableError):
        mend(value, (), [parse_fix("type=sms.send")])


def test_a_restamped_event_remembers_its_first_time() -> None:
    """It keeps its first time even if it is restamped again."""
    once, first = restamp(b'{"time":"2026-01-01T00:00:00Z","id":"1"}', (), NOON)
    twice, second = restamp(once.value, (), NOON + 60)

    assert (first, second) == ("2026-01-01T00:00:00Z", "2026-06-20T12:00:00Z")
    assert json.loads(twice.value) == {
        "time": "2026-06-20T12:01:00Z",
        "id": "1",
        "originaltime": "2026-01-01T00:00:00Z",
    }
