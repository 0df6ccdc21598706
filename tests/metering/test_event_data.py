"""How many units an event is: what its data says, and what it may not leave open."""

import json
from base64 import b64encode

import pytest

from metering.reject import RejectReason
from tests.metering.events import ABSENT, event, with_raw
from tests.metering.reading import counted, reason, rejected

QUANTITIES = [
    ("1", 1),
    ("1000000000", 1_000_000_000),
    ("1000000001", None),
    ("0", 0),
    ("-0", 0),
    ("-0.0", 0),
    ("0e9", 0),
    ("-1", None),
    ("-1.0", None),
    ("-0.5", None),
    ('"2"', None),
    ('"0"', None),
    ("2.0", 2),
    ("2.5", None),
    ("true", None),
    ("false", None),
    ("1e2", 100),
    ("1E0", 1),
    ("1e9", 1_000_000_000),
    ("1e10", None),
    ("1e400", None),
    ("-1e400", None),
    ("1000000000.0", 1_000_000_000),
    ("1000000000.5", None),
    ("9223372036854775808", None),
    ("18446744073709551621", None),
    ("18446744073709551621.0", None),
    ("null", None),
    ("[1]", None),
    ("{}", None),
    ("9" * 4300, None),
]


@pytest.mark.parametrize(("text", "quantity"), QUANTITIES, ids=lambda value: str(value)[:12])
def test_a_quantity_is_a_whole_json_number_from_0_to_a_billion(text, quantity) -> None:
    """However the number is written. A text, a fraction or a truth value is a mistake in the producer."""
    value = with_raw(f'"data":{{"quantity":{text}}}')

    if quantity is None:
        reject = rejected(value)
        assert reject.reason is RejectReason.INVALID_QUANTITY
        assert reject.detail.startswith("data.quantity must be a whole number from 0 to 1000000000; it is ")
        assert len(reject.detail) < 200
    else:
        assert counted(value).quantity == quantity
        assert type(counted(value).quantity) is int


@pytest.mark.parametrize(
    "data",
    [
        ABSENT,
        None,
        {},
        {"note": "x"},
        {"from": "+4915112345678", "answered": True, "trunk": None, "tags": ["5", []], "call": {"codec": "opus"}},
    ],
)
def test_data_without_any_number_is_one_unit(data) -> None:
    """`data` may be absent, null, empty or about something else. A text of digits is no number."""
    assert counted(event(data=data)).quantity == 1


@pytest.mark.parametrize(
    ("data", "member"),
    [
        ({"value": 5}, "value"),
        ({"Units": 3}, "Units"),
        ({"value": 0}, "value"),
        ({"value": 1.5}, "value"),
        ({"Quantity": 5}, "Quantity"),
        ({"QUANTITY": "5"}, "QUANTITY"),
        ({"quantity ": 5}, "quantity "),
        ({"data": {"quantity": 5}}, "data"),
        ({"usage": {"of": [{"a": {"b": [[5]]}}]}}, "usage"),
        ({"from": "+49", "duration_seconds": 61}, "duration_seconds"),
    ],
)
def test_data_with_a_number_and_no_quantity_is_rejected_with_the_member_s_name(data, member) -> None:
    """Taken for one unit it could be less than the producer meant, and nobody would see it."""
    reject = rejected(event(data=data))

    assert reject.reason is RejectReason.INVALID_QUANTITY
    assert f"its member {member!r} may mean one: write the units as data.quantity" in reject.detail


def test_beside_a_quantity_other_numbers_are_fine() -> None:
    """A service may say more of its calls than is billed."""
    assert counted(event(data={"duration_seconds": 61, "quantity": 2, "Quantity": 9})).quantity == 2


@pytest.mark.parametrize("data", [[], [1], [{"quantity": 5}], "text", "", "5", 1, 0.5, True, False])
def test_data_that_is_no_object_is_an_invalid_event(data) -> None:
    """There is nowhere to look for a quantity."""
    reject = rejected(event(data=data))

    assert reject.reason is RejectReason.INVALID_EVENT
    assert reject.detail.startswith("data must be an object; it is ")
    assert 'write {"quantity": 1}, or leave data out' in reject.detail


@pytest.mark.parametrize("data", ['{"quantity": 5}', ' [{"quantity": 5}]'])
def test_data_that_was_encoded_twice_is_named_so(data) -> None:
    """A serializer was given what was JSON already."""
    assert rejected(event(data=data)).detail.startswith("data is a text that holds JSON: it was encoded twice")


def test_data_that_is_an_event_itself_is_named_so() -> None:
    """An envelope within an envelope: its quantity is not where it belongs."""
    assert rejected(event(data=json.loads(event()))).detail.startswith("data is a whole event")


def encoded(text: bytes) -> str:
    """As `data_base64` has it."""
    return b64encode(text).decode()


@pytest.mark.parametrize(
    ("text", "quantity"), [(b'{"quantity":5}', 5), (b'{"quantity":5.0}', 5), (b"", 1), (b"null", 1), (b"{}", 1)]
)
@pytest.mark.parametrize("more", [{}, {"data": None}, {"datacontenttype": "application/octet-stream"}])
def test_data_base64_is_the_data(text, quantity, more) -> None:
    """What SDKs write for bytes (CloudEvents' JSON format, section 3.1.1). No bytes are no data; null is absent."""
    assert counted(event(data_base64=encoded(text), **more)).quantity == quantity


@pytest.mark.parametrize(
    ("base64", "says"),
    [
        ("{}", "not base64"),
        ("eyJxdWFudGl0eSI6NX0", "not base64"),
        ("_-8=", "not base64"),
        ("é", "not base64"),
        (encoded(b"\x00\x01"), "does not hold JSON"),
        (encoded(b'{"quantity":NaN}'), "does not hold JSON"),
        (5, "data_base64 must be a text; it is 5"),
        ({"quantity": 5}, "data_base64 must be a text; it is an object"),
        (encoded(b'"text"'), "data must be an object"),
    ],
)
def test_data_base64_that_can_t_be_read_is_an_invalid_event(base64, says) -> None:
    """And says which of the two encodings is wrong."""
    reject = rejected(event(data_base64=base64))

    assert reject.reason is RejectReason.INVALID_EVENT
    assert says in reject.detail


def test_the_rules_of_data_hold_for_data_base64() -> None:
    """A number without a quantity is rejected there too."""
    assert reason(event(data_base64=encoded(b'{"value":5}'))) is RejectReason.INVALID_QUANTITY
    assert reason(event(data_base64=encoded(b'{"quantity":-5}'))) is RejectReason.INVALID_QUANTITY


def test_data_and_data_base64_together_are_an_invalid_event() -> None:
    """CloudEvents' JSON format, section 3.1: nobody can say which of them is meant."""
    reject = rejected(event(data={"quantity": 5}, data_base64=encoded(b'{"quantity":5}')))

    assert (reject.reason, "send one of them" in reject.detail) == (RejectReason.INVALID_EVENT, True)


def test_only_an_absent_data_base64_is_none() -> None:
    """Null is absent."""
    assert counted(event(data={"quantity": 5}, data_base64=None)).quantity == 5
