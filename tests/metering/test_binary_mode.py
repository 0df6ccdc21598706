"""Events in binary mode: attributes in headers, data in the value (CloudEvents' Kafka protocol binding, section 3)."""

import json
from typing import Any

import pytest

from metering.content_mode import attributes_of
from metering.reject import RejectReason
from tests.metering.events import ABSENT, NOON_MS, attributes, event
from tests.metering.reading import counted, reason, rejected

JSON = ("content-type", b"application/json")
STRUCTURED = ("content-type", b"application/cloudevents+json")


def headers(**changes: Any) -> list[tuple[str, bytes | None]]:
    """A valid event's attributes as headers."""
    return [
        (f"ce_{name}", value if isinstance(value, bytes | None) else str(value).encode())
        for name, value in attributes(**changes).items()
    ]


@pytest.mark.parametrize(
    ("value", "quantity"),
    [(b'{"quantity": 5}', 5), (b'{"quantity": 5.0}', 5), (b"{}", 1), (b"null", 1), (b"", 1), (None, 1)],
)
@pytest.mark.parametrize("content_type", [[JSON], [], [("content-type", b"application/octet-stream")]])
def test_the_same_event_is_read_in_both_modes(value, quantity, content_type) -> None:
    """The value is the data, whatever its content type; an empty or a null value is no data."""
    binary = counted(value, headers=[*content_type, *headers(id="é😀", type="voice.ai")])

    assert binary == counted(event(id="é😀", type="voice.ai", data={"quantity": quantity}))


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"application/cloudevents+json; charset=UTF-8",
        b"Application/CloudEvents+JSON",
        b"application/cloudevents",
    ],
)
def test_a_cloudevents_content_type_means_structured_mode(content_type) -> None:
    """Headers of the other mode may stand beside it (section 3.3.3); the value is what counts."""
    both = [*headers(id="other", type="voice.ai"), ("content-type", content_type)]

    assert counted(event(data={"quantity": 5}), headers=both) == counted(event(data={"quantity": 5}))


@pytest.mark.parametrize(
    "more",
    [
        [JSON],
        [("content-type", None)],
        [("traceparent", b"00-4b-01"), ("ce", b"1"), ("CE_ID", b"2"), ("", b"\xff"), ("ce_id", None)],
    ],
)
def test_without_ce_headers_the_value_is_the_event(more) -> None:
    """Whatever other headers say; a header without a value is absent."""
    assert counted(event(), headers=more) == counted(event())


def test_of_a_header_that_stands_twice_the_last_counts() -> None:
    """As of a member of a JSON object."""
    assert counted(None, headers=[("ce_id", b"0"), *headers(id="1")]) == counted(event(id="1"))


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject", "time"])
@pytest.mark.parametrize("text", [ABSENT, None, b"", b"\xff\xfe", b"a\x00b", b"\xed\xa0\x80", b"x" * 300])
def test_every_attribute_is_held_to_the_same_rule(name, text) -> None:
    """What is missing, is not UTF-8 or breaks a rule is named as the header that it is."""
    reject = rejected(b'{"quantity": 5}', headers=headers(**{name: text}))

    expected = {"subject": RejectReason.INVALID_ACCOUNT}.get(name, RejectReason.INVALID_EVENT)
    if name == "type" and text is not ABSENT and text is not None:
        expected = RejectReason.UNKNOWN_METER
    else:
        assert f"ce_{name} must be " in reject.detail
    assert reject.reason is expected
    assert reject.detail.encode()


def test_an_attribute_that_nobody_reads_may_be_anything() -> None:
    """Extensions are ignored, and so is what CloudEvents does not allow: data among the headers."""
    more = [("ce_x", b"\xff"), ("ce_", b"y"), ("ce_data", b'{"quantity": 9}'), ("ce_data_base64", b"!")]

    assert counted(b'{"quantity": 5}', headers=[*headers(), *more]).quantity == 5


@pytest.mark.parametrize(
    ("value", "content_type", "reason_", "says"),
    [
        (b"\x02\x0a", b"application/avro", RejectReason.INVALID_JSON, "content type is 'application/avro': send JSON"),
        (b"hello", b"text/plain", RejectReason.INVALID_JSON, "content type is 'text/plain': send JSON"),
        (b"\x00\x00\x00\x00\x07\x02\x0a", b"application/json", RejectReason.INVALID_JSON, "schema registry"),
        (b"quantity=5", b"application/json", RejectReason.INVALID_JSON, "the data is not JSON"),
        (b'{"quantity": NaN}', b"application/json", RejectReason.INVALID_JSON, "the data is not JSON"),
        (b"5", b"application/json", RejectReason.INVALID_EVENT, "data must be an object; it is 5"),
        (b'"{\\"quantity\\": 5}"', b"application/json", RejectReason.INVALID_EVENT, "encoded twice"),
        (event(data={"quantity": 5}), b"application/json", RejectReason.INVALID_EVENT, "data is a whole event"),
        (b'{"value": 5}', b"application/json", RejectReason.INVALID_QUANTITY, "'value'"),
    ],
)
def test_data_that_can_t_be_counted_is_rejected(value, content_type, reason_, says) -> None:
    """With what to send instead."""
    reject = rejected(value, headers=[*headers(), ("content-type", content_type)])

    assert reject.reason is reason_
    assert says in reject.detail


def test_of_two_faults_the_first_in_the_order_of_precedence_is_named() -> None:
    """The same order as in structured mode."""
    assert reason(b"{", headers=headers(id=ABSENT)) is RejectReason.INVALID_JSON
    assert reason(b'{"value": 5}', headers=headers(id=ABSENT)) is RejectReason.INVALID_EVENT
    assert reason(b'{"value": 5}', headers=headers(type="fax")) is RejectReason.UNKNOWN_METER
    assert reason(b'{"value": 5}', headers=headers(subject="!")) is RejectReason.INVALID_ACCOUNT
    assert reason(b'{"value": 5}', NOON_MS + 10**10, headers()) is RejectReason.INVALID_QUANTITY
    assert reason(b"", NOON_MS + 10**10, headers()) is RejectReason.TIME_TOO_OLD


@pytest.mark.parametrize(("more", "expected"), [(0, None), (1, RejectReason.TOO_LARGE)])
def test_attributes_and_data_may_have_64_kib_together(more, expected) -> None:
    """CloudEvents' size limit is of the whole event."""
    valid = headers()
    room = 65_536 - sum(len(name) - len("ce_") + len(value or b"") for name, value in valid)

    assert reason(json.dumps({"pad": "x" * (room + more - 11)}).encode(), headers=valid) is expected
    assert reason(b"", headers=[*valid, ("ce_x", b"x" * (room + more - 1))]) is expected


def test_what_a_record_says_of_itself_is_found_in_both_modes() -> None:
    """For those who look after what can't be counted."""
    assert attributes_of(b"\xff", headers(id="7"))["id"] == "7"
    assert attributes_of(event(id="7"), [JSON])["id"] == "7"
    assert attributes_of(b"", [("ce_id", b"\xff")]) == {"id": "\ufffd"}
    assert [attributes_of(value, ()) for value in (None, b"", b"{", b"[]", b'"x"', b"\xff")] == [{}] * 6
