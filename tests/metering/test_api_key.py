"""API keys: their shape, their checksum, their hash."""

import random
import secrets
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metering.api_key import ApiKeyRecord, is_well_formed, key_hash, make_api_key

PINNED = "tk_live_" + "0" * 32 + "2wjyrI"


def test_a_new_key_is_well_formed_and_never_the_same() -> None:
    """`tk_live_` and 38 characters."""
    keys = {make_api_key(secrets.choice) for _ in range(200)}

    assert len(keys) == 200
    assert all(is_well_formed(key) and len(key) == 46 for key in keys)


def test_a_keys_characters_are_chosen_by_the_caller() -> None:
    """And the checksum by them alone: pinned, because keys outlive every version."""
    assert make_api_key(lambda alphabet: alphabet[0]) == PINNED
    assert make_api_key(random.Random(1).choice) == make_api_key(random.Random(1).choice)  # noqa: S311


@given(st.data())
def test_one_wrong_character_is_noticed(data) -> None:
    """A CRC-32 finds every single change."""
    key = make_api_key(random.Random(data.draw(st.integers())).choice)  # noqa: S311
    at = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters().filter(lambda character: character != key[at]))

    assert not is_well_formed(key[:at] + other + key[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", "tk_live_", PINNED + "0", PINNED[:-1], PINNED + "\n", " " + PINNED, PINNED.replace("live", "test")]
)
def test_other_texts_are_no_keys(text) -> None:
    """Nothing is trimmed."""
    assert not is_well_formed(text)


def test_a_key_is_known_by_the_sha256_of_all_of_it() -> None:
    """In lower-case hexadecimal."""
    assert key_hash(PINNED) == sha256(PINNED.encode()).hexdigest()


def test_a_record_says_whose_key_it_is() -> None:
    """And is refused without an account or with an impossible one."""
    record = ApiKeyRecord(account="acme", label="büro", created=5)

    assert ApiKeyRecord.model_validate_json(record.to_json()) == record
    for wrong in (b'{"created":5}', b'{"account":"a b","created":5}', b'{"account":"a","created":-1}', b""):
        with pytest.raises(ValidationError):
            ApiKeyRecord.model_validate_json(wrong)
