"""Changes to an account, and the refusals."""

import pytest

from metering.account import Account
from ops.accounts.change import anchor_advice, changed
from ops.console.arguments import check_account_id, parse_time
from ops.console.errors import OpsError
from ops.logs.account_log import read_accounts

HOUR = 1_736_899_200  # 2025-01-15T00:00:00Z
ACCOUNTS = {"one": Account(customer="cus_1", anchor=HOUR), "two": Account()}


def test_what_is_not_named_stays() -> None:
    """A change keeps the fields that it does not name."""
    assert changed(ACCOUNTS, "one", {"subscription_start": 5}) == Account(
        customer="cus_1", anchor=HOUR, subscription_start=5
    )


def test_nothing_named_makes_an_account_known() -> None:
    """A new account without any facts is one."""
    assert changed(ACCOUNTS, "three", {}) == Account()


def test_none_removes() -> None:
    """None removes a value; a Stripe customer only with `force`, because without one nothing is billed."""
    assert changed(ACCOUNTS, "one", {"anchor": None}) == Account(customer="cus_1")
    with pytest.raises(OpsError, match=r"would lose its Stripe customer cus_1.*--force"):
        changed(ACCOUNTS, "one", {"customer": None})
    assert changed(ACCOUNTS, "one", {"customer": None}, force=True) == Account(anchor=HOUR)


def test_a_customer_belongs_to_one_account() -> None:
    """The refusal names the account that has it; the account itself may keep it."""
    with pytest.raises(OpsError, match="belongs to account one"):
        changed(ACCOUNTS, "two", {"customer": "cus_1"})
    assert changed(ACCOUNTS, "one", {"customer": "cus_1"}).customer == "cus_1"


def test_accounts_without_a_customer_do_not_clash() -> None:
    """Two accounts may both have no customer."""
    assert changed(ACCOUNTS, "three", {"anchor": HOUR}).customer is None


def test_a_value_that_a_field_does_not_take_is_named() -> None:
    """A customer id has no spaces."""
    with pytest.raises(OpsError, match="customer"):
        changed(ACCOUNTS, "two", {"customer": "cus 1"})


@pytest.mark.parametrize("account", ["", "a b", "a{b}", "a" * 129, "ü", "a\n"])
def test_what_is_no_account_id_is_refused(account: str) -> None:
    """The platform would reject its events."""
    with pytest.raises(OpsError, match="account id"):
        check_account_id(account)


@pytest.mark.parametrize(("text", "seconds"), [("2025-01-15T00:00:00Z", HOUR), ("2025-01-15T01:00:00+01:00", HOUR)])
def test_times_are_rfc_3339(text: str, seconds: int) -> None:
    """Any offset is allowed."""
    assert parse_time("--anchor", text) == seconds


@pytest.mark.parametrize("text", ["2025-01-15", "yesterday", "2025-02-30T00:00:00Z", "2025-01-15T00:00:00"])
def test_other_times_are_refused(text: str) -> None:
    """The error names the option."""
    with pytest.raises(OpsError, match="--anchor"):
        parse_time("--anchor", text)


def test_an_anchor_off_the_hour_gets_advice() -> None:
    """Both neighbours are recommended; an anchor on the hour, or none, needs no advice."""
    advice = anchor_advice(HOUR + 600)
    assert advice is not None
    assert "2025-01-15T00:00:00Z" in advice
    assert "2025-01-15T01:00:00Z" in advice
    assert anchor_advice(HOUR) is None
    assert anchor_advice(None) is None


def test_records_that_cannot_be_read_count_for_nothing() -> None:
    """Unreadable records are dead letters; the others are accounts."""
    assert read_accounts({"one": b'{"customer":"cus_1"}', "bad": b"nonsense"}) == {"one": Account(customer="cus_1")}
