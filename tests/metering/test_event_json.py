"""What a record's value may be: JSON, one object; and what is said of everything else."""

import json

import pytest

from metering.reject import RejectReason
from tests.metering.events import ABSENT, event, with_raw
from tests.metering.reading import reason, rejected

NOT_JSON = {
    "text": b"sms",
    "blank": b"  \n",
    "cut": event()[:-1],
    "trailing text": event() + b"x",
    "trailing NUL": event() + b"\0",
    "two values": event() + event(),
    "byte order mark": b"\xef\xbb\xbf" + event(),
    "UTF-16": event().decode().encode("utf-16"),
    "Latin-1": event(id="X").replace(b"X", b"\xe9"),
    "single quotes": b"{'id':1}",
    "trailing comma": event()[:-1] + b",}",
    "comment": b"/**/" + event(),
    "leading zero": with_raw('"data":{"quantity":01}'),
    "raw newline in a text": event(id="X").replace(b"X", b"\n"),
    "lone surrogate in the id": with_raw('"id":"\\ud800"', id=ABSENT),
    "lone surrogate in an ignored attribute": with_raw('"x":"\\udc00"'),
    "lone surrogate in a name": with_raw('"\\udfff":1'),
    "NaN in an ignored attribute": with_raw('"x":NaN'),
    "Infinity deep in an ignored attribute": with_raw('"x":{"y":[1,{"z":Infinity}]}'),
    "-Infinity in an ignored attribute": with_raw('"x":-Infinity'),
    "NaN as the quantity": with_raw('"data":{"quantity":NaN}'),
    "NaN beside a missing id": with_raw('"x":NaN', id=ABSENT),
    "NaN beside an invalid account": with_raw('"x":NaN', subject="!"),
    "a number of 5,000 digits": with_raw('"x":' + "1" * 5000),
    "201 levels": with_raw('"x":' + "[" * 201 + "]" * 201),
    "60,000 levels": with_raw('"x":' + "[" * 30_000 + "]" * 30_000),
}


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_invalid_json(value) -> None:
    """RFC 8259, in UTF-8 without a byte order mark; and nothing that a parser has no room for."""
    assert reason(value) is RejectReason.INVALID_JSON


@pytest.mark.parametrize(
    "value", [event(id="NaN"), event(source="/Infinity"), event(x="-Infinity"), with_raw('"NaN":1')]
)
def test_the_words_nan_and_infinity_are_fine_inside_texts(value) -> None:
    """Only as values they are not JSON."""
    assert reason(value) is None


def test_whitespace_around_the_object_is_json() -> None:
    """RFC 8259, section 2."""
    assert reason(b" \r\n\t" + event() + b"\n") is None


def test_200_levels_of_an_ignored_attribute_are_read() -> None:
    """The bound of the parser, far beyond what an event needs."""
    assert reason(with_raw('"x":' + "[" * 199 + "]" * 199, subject="!")) is RejectReason.INVALID_ACCOUNT
    assert reason(with_raw('"x":' + "[" * 199 + "]" * 199)) is None


def test_every_reject_explains_itself_in_text_that_a_header_can_carry() -> None:
    """The detail is for the person who must mend the producer; it is encoded as UTF-8."""
    for value in [*NOT_JSON.values(), event(type="é"), event(subject="é"), b"[]", event(time="x")]:
        assert rejected(value).detail.encode()


REGISTRY = b"\0\0\0\0\x07"
ENCODINGS = [
    (b"\xef\xbb\xbf" + event(), "byte order mark: send UTF-8 without one"),
    (event().decode().encode("utf-16"), "is UTF-16: send UTF-8"),
    (event().decode().encode("utf-16-le"), "is UTF-16: send UTF-8"),
    (event().decode().encode("utf-16-be"), "is UTF-16: send UTF-8"),
    (REGISTRY + event(), "schema registry's prefix, a zero byte and an id: send JSON without a registry"),
    (REGISTRY + b"\x02\x0asms", "schema registry's prefix"),
    (REGISTRY + b"\0\x0a\x05hello", "schema registry's prefix"),
    (b"\0", "Invalid JSON"),
]


@pytest.mark.parametrize(("value", "says"), ENCODINGS)
def test_what_other_serializers_write_is_named(value, says) -> None:
    """The detail says what to send instead."""
    reject = rejected(value)

    assert reject.reason is RejectReason.INVALID_JSON
    assert says in reject.detail


@pytest.mark.parametrize("form", ["avro", "protobuf", "xml"])
def test_another_format_of_cloudevents_is_named(form) -> None:
    """By the content type, where it has one."""
    reject = rejected(b"\x02\x0a", headers=[("content-type", f"application/cloudevents+{form}".encode())])

    assert reject.reason is RejectReason.INVALID_JSON
    assert f"the content type is 'application/cloudevents+{form}': send JSON" in reject.detail


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "a batch is not read, send a record for each event"),
        (json.dumps([json.loads(event())] * 2), "a batch is not read, send a record for each event"),
        (json.dumps(event().decode()), "it was encoded twice, send the object itself"),
        ('"x"', "the value must be an object, the event; it is 'x'"),
        ("null", "it is null"),
        ("1", "it is 1"),
        ("true", "it is a truth value"),
    ],
)
@pytest.mark.parametrize("content_type", [[], [("content-type", b"application/cloudevents-batch+json")]])
def test_json_that_is_no_object_is_an_invalid_event(text, says, content_type) -> None:
    """It is JSON, and not an event; the detail says what it may be instead."""
    reject = rejected(text.encode(), headers=content_type)

    assert reject.reason is RejectReason.INVALID_EVENT
    assert says in reject.detail
