"""Which accounts claim which customer, by the accounts topic alone."""

import pytest

from metering.account import Account
from metering.partition import partition_of
from stripe_sync.shard.claims import Claims

PARTITIONS = 3


class Topic:
    """The accounts topic, as far as it was read."""

    def __init__(self) -> None:
        self.claims = Claims(PARTITIONS)

    def write(self, key: str | bytes | None, value: bytes | None, *, home: bool = True) -> None:
        """A record, on its account's partition or on another."""
        name = key if isinstance(key, str) else (key or b"").decode(errors="replace")
        partition = partition_of(name, PARTITIONS)
        self.claims.fold(partition if home else partition + 1, key.encode() if isinstance(key, str) else key, value)

    def claim(self, account: str, customer: str | None) -> None:
        """An account's record."""
        self.write(account, Account(customer=customer).to_json())


@pytest.fixture
def topic() -> Topic:
    """One account with a customer."""
    topic = Topic()
    topic.claim("acme", "cus_1")
    return topic


def test_a_customer_of_two_is_nobodys_until_one_gives_it_up(topic: Topic) -> None:
    """By another customer, by none, or by a tombstone."""
    for value in (Account(customer="cus_2").to_json(), Account().to_json(), None):
        topic.claim("beta", "cus_1")
        assert not topic.claims.is_sole("acme", "cus_1")
        assert topic.claims.disputed() == {"cus_1": ["acme", "beta"]}
        topic.write("beta", value)
        assert topic.claims.is_sole("acme", "cus_1")
        assert topic.claims.disputed() == {}


@pytest.mark.parametrize(
    ("key", "value", "home"),
    [
        ("beta", Account(customer="cus_1").to_json(), False),
        (None, Account(customer="cus_1").to_json(), True),
        (b"", Account(customer="cus_1").to_json(), True),
        (b"\xff\xfe", Account(customer="cus_1").to_json(), True),
        ("beta", b'{"customer":7}', True),
        ("beta", b"", True),
        ("acme", b"", True),
        ("acme", b"nonsense", True),
        ("acme", b'{"customer":"cus_9"', True),
    ],
)
def test_what_no_shard_folds_claims_nothing_and_takes_nothing_away(
    topic: Topic, key: str | bytes | None, value: bytes, home: bool
) -> None:
    """It became a dead letter, and its account keeps what it had."""
    topic.write(key, value, home=home)
    assert topic.claims.is_sole("acme", "cus_1")


def test_a_customer_that_moved_is_known_to_have(topic: Topic) -> None:
    """Whoever gave it up has units under it; an account that says the same again has not moved."""
    topic.claim("acme", "cus_1")
    assert not topic.claims.has_moved("cus_1")
    topic.claim("acme", None)
    topic.claim("beta", "cus_1")
    assert topic.claims.is_sole("beta", "cus_1")
    assert topic.claims.has_moved("cus_1")
    assert not topic.claims.has_moved("cus_2")
