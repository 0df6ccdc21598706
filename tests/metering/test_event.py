"""The usage event: what is counted, and which of several faults a dead letter names."""

import json
from itertools import combinations

import pytest

from metering.event import UsageEvent, identity_member, read_event
from metering.meters import CATALOGUE, Meter
from metering.reject import Reject, RejectReason
from tests.metering.events import ABSENT, NOON, NOON_MS, event, with_raw

MAX_BYTES = 65_536


def reason(value: bytes | None, append_ms: int = NOON_MS) -> RejectReason | None:
    """Why a record is rejected; None for one that is counted."""
    result = read_event(value, append_ms)
    return result.reason if isinstance(result, Reject) else None


def counted(value: bytes, append_ms: int = NOON_MS) -> UsageEvent:
    """The event of a record that must be countable."""
    result = read_event(value, append_ms)
    assert isinstance(result, UsageEvent), result
    return result


def test_an_event_is_reduced_to_what_counting_needs() -> None:
    """Identity, account, meter, second and quantity; the rest of the envelope is gone."""
    assert counted(event(type="voice.ai", data={"quantity": 7}, datacontenttype="application/json")) == UsageEvent(
        member=identity_member("/tests", "1"), account="acme", meter=4, time=NOON, quantity=7
    )


@pytest.mark.parametrize("meter", CATALOGUE, ids=lambda meter: meter.name)
def test_every_meter_of_the_catalogue_is_counted_under_its_index(meter) -> None:
    """`type` is the meter's name, exactly."""
    assert counted(event(type=meter.name)).meter == meter.index


FAULTY = {
    RejectReason.INVALID_JSON: {"raw": '"extra":NaN'},
    RejectReason.INVALID_EVENT: {"time": "2026-02-30T12:00:00Z"},
    RejectReason.UNKNOWN_METER: {"type": "sms.sent"},
    RejectReason.INVALID_ACCOUNT: {"subject": "two words"},
    RejectReason.INVALID_QUANTITY: {"data": {"quantity": 0}},
    RejectReason.TIME_TOO_OLD: {"time": "2020-01-01T00:00:00Z"},
}


@pytest.mark.parametrize(
    ("first", "second"), list(combinations(FAULTY, 2)), ids=lambda reason: reason.value.replace("_", "-")
)
def test_of_two_faults_the_first_in_the_order_of_precedence_is_named(first, second) -> None:
    """The order of `RejectReason` is the order of precedence, whichever pair of faults a record has."""
    faults = FAULTY[second] | FAULTY[first]
    raw = faults.pop("raw", None)

    assert reason(with_raw(raw, **faults) if raw else event(**faults)) is first


def test_another_fault_of_the_envelope_is_named_before_the_values_that_billing_reads() -> None:
    """A missing id is `invalid_event`, however wrong meter, account and quantity are."""
    value = event(id=ABSENT, type="nothing", subject="!", data={"quantity": "many"})

    assert reason(value) is RejectReason.INVALID_EVENT


def test_too_many_bytes_come_before_what_they_say() -> None:
    """A record that is too large is never parsed."""
    assert reason(b"{" * (MAX_BYTES + 1)) is RejectReason.TOO_LARGE


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_a_value_is_empty(value) -> None:
    """A null value and a value of no bytes are the same."""
    assert reason(value) is RejectReason.EMPTY


@pytest.mark.parametrize(("size", "expected"), [(MAX_BYTES, None), (MAX_BYTES + 1, RejectReason.TOO_LARGE)])
def test_a_record_may_have_64_kib(size, expected) -> None:
    """CloudEvents' size limit, to the byte."""
    padding = size - len(event(pad=""))

    value = event(pad="x" * padding)

    assert len(value) == size
    assert reason(value) is expected


@pytest.mark.parametrize("attribute", ["id", "source"])
@pytest.mark.parametrize("character", ["a", "é", "€", "😀", "\u0301"])
def test_id_and_source_may_have_256_characters_of_any_script(attribute, character) -> None:
    """Code points are counted, not bytes; one more, or none, is refused."""
    assert reason(event(**{attribute: character * 256})) is None
    assert reason(event(**{attribute: character * 257})) is RejectReason.INVALID_EVENT
    assert reason(event(**{attribute: ""})) is RejectReason.INVALID_EVENT


def test_non_ascii_identities_are_the_same_however_they_are_written() -> None:
    """An escape and the character itself are one id; a composed and a decomposed letter are two."""
    raw = json.dumps({"id": "é😀"}, ensure_ascii=False)[1:-1]
    plain = with_raw(raw, id=ABSENT)

    assert counted(plain).member == counted(event(id="é😀")).member
    assert counted(event(id="\u00e9")).member != counted(event(id="e\u0301")).member


@pytest.mark.parametrize("attribute", ["id", "source"])
@pytest.mark.parametrize("character", ["\x00", "\n", "\x1f", "\x7f", "\x80", "\x9f"])
def test_identities_hold_no_control_characters(attribute, character) -> None:
    """CloudEvents 1.0, type String. So no two identities can be joined to the same bytes by a NUL."""
    assert reason(event(**{attribute: f"a{character}b"})) is RejectReason.INVALID_EVENT
    assert reason(event(**{attribute: f"ab{character}"})) is RejectReason.INVALID_EVENT


def test_source_and_id_are_told_apart() -> None:
    """What stands in the one cannot be moved into the other."""
    assert identity_member("ab", "c") != identity_member("a", "bc")
    assert identity_member("a", "b") != identity_member("b", "a")


def test_an_identity_is_a_signed_64_bit_number() -> None:
    """Pinned: another value would forget every event that was counted before."""
    assert identity_member("/tests", "1") == -5_307_928_390_668_282_111
    assert -(2**63) <= identity_member("é", "😀") < 2**63


ACCOUNTS = [
    ("a", None),
    ("A-Z_0.9:x", None),
    ("a" * 128, None),
    ("a" * 129, RejectReason.INVALID_ACCOUNT),
    ("", RejectReason.INVALID_ACCOUNT),
    ("a b", RejectReason.INVALID_ACCOUNT),
    ("a\n", RejectReason.INVALID_ACCOUNT),
    ("{a}", RejectReason.INVALID_ACCOUNT),
    ("a|b", RejectReason.INVALID_ACCOUNT),
    ("é", RejectReason.INVALID_ACCOUNT),
    (7, RejectReason.INVALID_ACCOUNT),
    (None, RejectReason.INVALID_ACCOUNT),
    (ABSENT, RejectReason.INVALID_ACCOUNT),
    (["acme"], RejectReason.INVALID_ACCOUNT),
]


@pytest.mark.parametrize(("account", "expected"), ACCOUNTS)
def test_an_account_has_1_to_128_characters_of_a_small_alphabet(account, expected) -> None:
    """It is part of every key of the account: no braces, no bars, no spaces, no final newline."""
    assert reason(event(subject=account)) is expected


QUANTITIES = [
    ("1", 1),
    ("1000000000", 1_000_000_000),
    ("1000000001", None),
    ("0", None),
    ("-0", None),
    ("-1", None),
    ('"2"', None),
    ("2.0", None),
    ("true", None),
    ("1e3", None),
    ("1E0", None),
    ("null", None),
    ("[1]", None),
    ("{}", None),
    ("9" * 4300, None),
]


@pytest.mark.parametrize(("text", "quantity"), QUANTITIES, ids=lambda value: str(value)[:12])
def test_a_quantity_is_a_whole_json_number_from_1_to_a_billion(text, quantity) -> None:
    """Nothing is converted: a text, a fraction, a truth value or an exponent is a mistake in the producer."""
    value = with_raw(f'"data":{{"quantity":{text}}}')

    if quantity is None:
        assert reason(value) is RejectReason.INVALID_QUANTITY
    else:
        assert counted(value).quantity == quantity


@pytest.mark.parametrize("data", [ABSENT, None, {}, {"note": "x"}])
def test_an_event_without_a_quantity_is_one_unit(data) -> None:
    """`data` may be absent, null, empty or about something else."""
    assert counted(event(data=data)).quantity == 1


@pytest.mark.parametrize("data", [[], [1], "text", 1, True])
def test_data_that_is_no_object_is_an_invalid_event(data) -> None:
    """There is nowhere to look for a quantity."""
    assert reason(event(data=data)) is RejectReason.INVALID_EVENT


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "time"])
@pytest.mark.parametrize("value", [ABSENT, None, 1, True, [], {}])
def test_the_required_attributes_are_texts(attribute, value) -> None:
    """Each is required, and no value of another type is taken for one."""
    assert reason(event(**{attribute: value})) is RejectReason.INVALID_EVENT


@pytest.mark.parametrize("version", ["1", "1.0 ", "0.3", "1.1"])
def test_only_cloudevents_1_0_is_read(version) -> None:
    """A later version may mean something else."""
    assert reason(event(specversion=version)) is RejectReason.INVALID_EVENT


@pytest.mark.parametrize("meter", ["", "SMS.SEND", "sms.send ", "sms.send\x00", "x" * 60_000])
def test_an_unknown_type_is_an_unknown_meter(meter) -> None:
    """The detail stays short whatever the producer wrote."""
    result = read_event(event(type=meter), NOON_MS)

    assert isinstance(result, Reject)
    assert result.reason is RejectReason.UNKNOWN_METER
    assert len(result.detail) < 400


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    """For every attribute, and inside `data`; also where the first one alone would be a fault."""
    twice = with_raw('"id":"2","type":"voice.ai","data":{"quantity":0,"quantity":4}', id=5)
    last_is_faulty = with_raw('"id":5')

    assert counted(twice) == counted(event(id="2", type="voice.ai", data={"quantity": 4}))
    assert reason(last_is_faulty) is RejectReason.INVALID_EVENT


def test_unknown_attributes_are_ignored() -> None:
    """CloudEvents allows extensions of any shape."""
    value = event(traceparent="00-x", nested={"quantity": 9, "id": [1, {"a": None}]}, number=1e300)

    assert counted(value) == counted(event())


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


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "1", "true"])
def test_json_that_is_no_object_is_an_invalid_event(text) -> None:
    """It is JSON, and not an event."""
    assert reason(text.encode()) is RejectReason.INVALID_EVENT


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
        result = read_event(value, NOON_MS)
        assert isinstance(result, Reject)
        assert result.detail.encode()


def test_a_meter_counts_from_the_append_time_it_was_added(monkeypatch) -> None:
    """Before it, its events are unknown, whatever else is wrong with them: a refold gives the same dead letters."""
    monkeypatch.setattr("metering.event.BY_NAME", {"fax.send": Meter(6, "fax.send", "Faxes", counts_since_ms=NOON_MS)})
    fax = event(type="fax.send")

    assert counted(fax, NOON_MS).meter == 6
    assert reason(fax, NOON_MS - 1) is RejectReason.UNKNOWN_METER
    assert reason(event(type="fax.send", subject="!"), NOON_MS) is RejectReason.INVALID_ACCOUNT
    assert reason(event(type="fax.send", subject="!"), NOON_MS - 1) is RejectReason.UNKNOWN_METER
