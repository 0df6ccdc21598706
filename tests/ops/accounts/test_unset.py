"""Commands warn of an account that nobody has set."""

import pytest

from metering.account import Account
from ops.logs.account_log import warn_of_unset
from ops.logs.table_log import write_records
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics


@pytest.fixture
def settings(kafka_bootstrap: str, topic_prefix: str) -> KafkaSettings:
    """Of the test's own topics, which exist."""
    settings = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=3)
    create_topics(settings)
    return settings


def test_an_account_that_nobody_has_set_is_told_of(settings: KafkaSettings, capsys: pytest.CaptureFixture[str]) -> None:
    """The warning also comes if its record can't be read, but not once the account is set."""
    topic = TopicNames(settings.topic_prefix).accounts
    write_records(settings, topic, {"broken": b"no account", "other": Account().to_json()})
    for account in ("acme", "broken"):
        warn_of_unset(settings, account)
        assert f"warning: nobody has set account {account}: " in capsys.readouterr().err
    warn_of_unset(settings, "other")
    assert capsys.readouterr().err == ""


def test_who_may_not_know_is_told_nothing(settings: KafkaSettings, capsys: pytest.CaptureFixture[str]) -> None:
    """A user without the right to read the log gets no warning; here the log does not exist."""
    warn_of_unset(settings.model_copy(update={"topic_prefix": "no-such-"}), "acme")
    assert capsys.readouterr().err == ""
