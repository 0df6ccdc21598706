"""The producers' examples in other languages: one event each, counted, on the partition of its account."""

import subprocess

import pytest

from metering.event import read_event
from metering.partition import partition_of
from metering.usage_event import UsageEvent, identity_member
from tests.producers.conftest import PARTITIONS, UsageTopic
from tests.sdks.brought import RUN_SECONDS, example_command

ACCOUNTS = ("acct_1", "acct_2", "acct_17")


@pytest.fixture
def usage_topic(kafka_bootstrap: str, topic_prefix: str) -> UsageTopic:
    """A usage topic under the test's prefix, made as the platform's are."""
    topic = UsageTopic(kafka_bootstrap, topic_prefix)
    topic.create(**{"message.timestamp.type": "LogAppendTime"})
    return topic


@pytest.mark.parametrize("language", ["node", "go", "java"])
def test_an_example_publishes_an_event_that_counts(language: str, usage_topic: UsageTopic) -> None:
    """Where the platform looks for it; what the example prints is the partition."""
    command = example_command(language)

    for account in ACCOUNTS:
        done = subprocess.run(
            [*command, usage_topic.bootstrap, usage_topic.name, account, f"of-{account}"],
            check=True,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
        assert int(done.stdout) == partition_of(account, PARTITIONS)

    for record in usage_topic.records(len(ACCOUNTS)):
        event = read_event(record.value, record.timestamp, record.headers)
        assert isinstance(event, UsageEvent)
        assert record.key.decode() == event.account
        assert event.member == identity_member(
            f"/examples/{language}", f"of-{event.account}", "sms.send", event.account
        )
