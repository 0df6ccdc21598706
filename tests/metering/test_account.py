"""An account's billing facts."""

import pytest
from pydantic import ValidationError

from metering.account import Account

LAST_SECOND = 4_102_444_799  # 2099-12-31T23:59:59Z


def test_an_account_needs_nothing() -> None:
    """Its usage is counted in calendar months and waits for a customer."""
    assert Account.model_validate_json(b"{}") == Account()
    assert Account().to_json() == b"{}"


def test_a_record_holds_what_is_known_and_is_read_back() -> None:
    """Unknown fields are ignored, so that a later version's record can still be read."""
    account = Account(customer="cus_1", anchor=1_781_956_800)

    assert account.to_json() == b'{"customer":"cus_1","anchor":1781956800}'
    assert Account.model_validate_json(account.to_json()) == account
    assert Account.model_validate_json(b'{"customer":"cus_1","anchor":1781956800,"later":true}') == account


@pytest.mark.parametrize("field", ["anchor", "subscription_start"])
def test_times_are_unix_seconds_of_this_century(field) -> None:
    """Milliseconds are the usual mistake: no period could be drawn from them."""
    assert getattr(Account(**{field: LAST_SECOND}), field) == LAST_SECOND
    assert getattr(Account(**{field: 0}), field) == 0
    for wrong in (-1, LAST_SECOND + 1, 1_781_956_800_000, 1.5):
        with pytest.raises(ValidationError):
            Account(**{field: wrong})


@pytest.mark.parametrize("customer", ["", "cus 1", "cus_1\n", "küche", "c" * 256])
def test_a_customer_is_an_id_of_printable_ascii(customer) -> None:
    """At most 255 characters; it becomes part of a question to Stripe."""
    with pytest.raises(ValidationError):
        Account(customer=customer)
