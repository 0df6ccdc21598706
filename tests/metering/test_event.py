"""The usage event: what is counted, and which of several faults a dead letter names."""

import json
from itertools import combinations

import pytest

from metering.meters import BY_NAME, CATALOGUE, Meter
from metering.reject import RejectReason
from metering.usage_event import UsageEvent, identity_member
from tests.metering.events import ABSENT, NOON, NOON_MS, event, identity, with_raw
from tests.metering.reading import counted, reason, rejected

MAX_BYTES = 65_536


def test_an_event_is_reduced_to_what_counting_needs() -> None:
    """Identity, account, meter, second and quantity; the rest of the envelope is gone."""
    assert counted(event(type="voice.ai", data={"quantity": 7}, datacontenttype="application/json")) == UsageEvent(
        member=identity(type="voice.ai"), account="acme", meter=4, time=NOON, quantity=7
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
    RejectReason.INVALID_QUANTITY: {"data": {"quantity": -1}},
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


def test_the_parts_of_an_identity_are_told_apart() -> None:
    """What stands in the one cannot be moved into the other, and each of the four makes a difference."""
    parts = ("a", "bc", "d", "e")
    others = [("ab", "c", "d", "e"), ("a", "b", "cd", "e"), ("a", "bc", "de", ""), ("bc", "a", "d", "e")]
    others += [(*parts[:at], "x", *parts[at + 1 :]) for at in range(4)]

    assert len({identity_member(*each) for each in [parts, *others]}) == 1 + len(others)


def test_an_identity_is_a_signed_64_bit_number() -> None:
    """Pinned: another value would forget every event that was counted before."""
    assert identity_member("/tests", "1", "sms.send", "acme") == -4_019_012_429_781_227_928
    assert -(2**63) <= identity_member("é", "😀", "sms.send", "acme") < 2**63


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
    reject = rejected(event(type=meter))

    assert reject.reason is RejectReason.UNKNOWN_METER
    assert len(reject.detail) < 400


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    """For every attribute, and inside `data`; also where the first one alone would be a fault."""
    twice = with_raw('"id":"2","type":"voice.ai","data":{"quantity":-1,"quantity":4}', id=5)
    last_is_faulty = with_raw('"id":5')

    assert counted(twice) == counted(event(id="2", type="voice.ai", data={"quantity": 4}))
    assert reason(last_is_faulty) is RejectReason.INVALID_EVENT


def test_unknown_attributes_are_ignored() -> None:
    """CloudEvents allows extensions of any shape."""
    value = event(traceparent="00-x", nested={"quantity": 9, "id": [1, {"a": None}]}, number=1e300)

    assert counted(value) == counted(event())


def test_a_meter_counts_from_the_append_time_it_was_added(monkeypatch) -> None:
    """Before it, its events are unknown, whatever else is wrong with them: a refold gives the same dead letters."""
    monkeypatch.setitem(BY_NAME, "fax.send", Meter(6, "fax.send", "Faxes", counts_since_ms=NOON_MS))
    fax = event(type="fax.send")

    assert counted(fax, NOON_MS).meter == 6
    assert reason(fax, NOON_MS - 1) is RejectReason.UNKNOWN_METER
    assert reason(event(type="fax.send", subject="!"), NOON_MS) is RejectReason.INVALID_ACCOUNT
    assert reason(event(type="fax.send", subject="!"), NOON_MS - 1) is RejectReason.UNKNOWN_METER


WORDS = [
    ({"specversion": "0.3"}, "specversion must be '1.0'; it is '0.3'"),
    ({"id": ABSENT}, "id must be a text of 1 to 256 characters without control characters; it is missing"),
    ({"id": 12345}, "; it is 12345"),
    ({"id": "x" * 300}, f"; it is '{'x' * 64}'... (300 characters)"),
    ({"source": "a\nb"}, r"source must be a text of 1 to 256 characters without control characters; it is 'a\nb'"),
    ({"source": 10**300}, "; it is a number of 997 bits"),
    ({"type": None}, "type must be one of sms.send, sms.receive"),
    ({"type": "com.example.sms.send"}, "type 'com.example.sms.send' is not one of sms.send, sms.receive"),
    ({"subject": "+15551234567"}, "subject must be the account: 1 to 128 of A-Z a-z 0-9 _ . : -; it is '+15551234567'"),
    ({"subject": {}}, "; it is an object"),
    (
        {"time": "2026-06-20 12:00:00"},
        "time must be RFC 3339 with the offset from UTC: write it as 2026-11-22T17:00:00Z",
    ),
    ({"time": 1_781_956_800}, "; it is 1781956800"),
    (
        {"time": "2026-06-31T12:00:00Z"},
        "time '2026-06-31T12:00:00Z' is none, day is out of range for month: write it as",
    ),
]


@pytest.mark.parametrize(("changes", "says"), WORDS)
def test_a_detail_says_the_rule_in_words_and_what_is_there_instead(changes, says) -> None:
    """For a person: no pattern, and nothing long."""
    detail = rejected(event(**changes)).detail

    assert says in detail
    assert "^" not in detail
    assert len(detail) < 300
