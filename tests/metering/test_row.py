"""Rows: what Stripe is told, and the name under which it is told once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metering.row import MAX_IDENTIFIER_LENGTH, MAX_VALUE, Row, bucket_key, split_bucket_key

FIELDS = {
    "account": "acme",
    "meter": "voice.ai",
    "hour": 494_988,
    "start": 100,
    "end": 120,
    "customer": "cus_1",
    "timestamp": 1_781_956_800,
    "carried": False,
}
OTHERS = {
    "account": "acme2",
    "meter": "sms.send",
    "hour": 494_989,
    "start": 101,
    "end": 121,
    "customer": "cus_2",
    "timestamp": 1_781_956_801,
    "carried": True,
}


def test_an_identifier_never_changes() -> None:
    """Pinned: rows in flight while a new version is deployed are sent again under the old one's identifier."""
    assert Row(**FIELDS).identifier("production") == "cfd59dd0625017b0812cff9242309da6e5286d2638ac29485ebbf65a2ae36ff1"


@pytest.mark.parametrize("field", OTHERS)
def test_another_value_of_any_field_is_another_identifier(field) -> None:
    """So that no two bodies ever share one."""
    assert Row(**FIELDS | {field: OTHERS[field]}).identifier("n") != Row(**FIELDS).identifier("n")


def test_no_field_of_a_row_is_left_out_of_these_tests() -> None:
    """A field that is added later must change the identifier as well."""
    assert set(OTHERS) == set(Row.model_fields)


def test_another_namespace_is_another_identifier() -> None:
    """Two installations at one Stripe account do not take each other's rows for their own."""
    row = Row(**FIELDS)

    assert row.identifier("a") != row.identifier("b")
    assert row.identifier("é") != row.identifier("e")
    assert len(row.identifier("n" * 1000)) <= MAX_IDENTIFIER_LENGTH


def test_a_row_keeps_its_identifier_on_its_way_through_the_log() -> None:
    """Written and read back."""
    row = Row(**FIELDS)

    assert Row.model_validate_json(row.model_dump_json()).identifier("n") == row.identifier("n")


def test_a_row_tells_the_difference_of_its_watermarks() -> None:
    """And is known by its bucket, and by what a summary can tell apart."""
    row = Row(**FIELDS)

    assert row.value == 20
    assert row.bucket_key == "acme|4|494988"
    assert row.minute_key == "4|29699280|cus_1"


@pytest.mark.parametrize(
    "change",
    [
        {"end": 100},
        {"end": 99},
        {"start": -1},
        {"end": 101 + MAX_VALUE},
        {"meter": "fax"},
        {"hour": -1},
        {"account": "a|b"},
        {"customer": ""},
        {"timestamp": -1},
        {"more": 1},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_told_is_refused(change) -> None:
    """Stripe takes 1 to 15 digits; a field nobody knows would not be part of the identifier."""
    with pytest.raises(ValidationError):
        Row(**FIELDS | change)


def test_the_largest_value_is_15_digits() -> None:
    """Stripe's bound."""
    assert Row(**FIELDS | {"start": 0, "end": MAX_VALUE}).value == 999_999_999_999_999


@given(st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True), st.integers(0, 5), st.integers(0, 10**6))
def test_a_bucket_s_name_can_be_taken_apart(account, meter, hour) -> None:
    """An account has no bar in it."""
    assert split_bucket_key(bucket_key(account, meter, hour)) == (account, meter, hour)
