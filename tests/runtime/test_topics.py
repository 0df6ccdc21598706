"""The check of the topics: what is refused, in one sentence that is true, and what is not."""

import pytest

from metering.retention import TOMBSTONE_SECONDS, VOUCHED_SECONDS
from runtime.settings import KafkaSettings
from runtime.topics import TopicFound, TopicNames, TopicSpec, single_copy_warning, topic_faults, topic_specs

NAMES = TopicNames()
SHARDED = [NAMES.usage, NAMES.accounts, NAMES.api_keys, NAMES.pushes]


def spec(name: str) -> TopicSpec:
    """A topic's, of an installation of four shards."""
    return next(each for each in topic_specs(KafkaSettings(partitions=4)) if each.name == name)


def faults(name: str, partitions: int) -> list[str]:
    """What is wrong with a topic that is as it must be, but for its partitions."""
    topic = spec(name)
    kept = {} if topic.at_least_ms is None else {"retention.ms": str(topic.at_least_ms), "retention.bytes": "-1"}
    return topic_faults(topic, partitions, topic.configs | kept)


@pytest.mark.parametrize("name", SHARDED)
def test_a_topic_with_a_partition_for_each_shard_is_right(name: str) -> None:
    """As `billing topics` makes it."""
    assert not faults(name, 4)


@pytest.mark.parametrize("name", SHARDED)
def test_fewer_partitions_than_shards_are_refused(name: str) -> None:
    """A topic never loses any: the variable has changed, or the topic is one that something else has made."""
    (said,) = faults(name, 3)
    assert "has 3 partitions, BILLING_PARTITIONS says 4" in said
    assert "if the variable was changed, set it back" in said
    assert "run `billing topics`" in said


def test_more_partitions_of_the_usage_log_do_no_harm() -> None:
    """What is found there is copied to where it belongs."""
    assert not faults(NAMES.usage, 6)


@pytest.mark.parametrize("name", [name for name in SHARDED if name != NAMES.usage])
def test_more_partitions_of_another_log_are_refused(name: str) -> None:
    """The advice is never to follow the topic with the variable: no account would be where it was."""
    (said,) = faults(name, 6)
    assert "if the variable was changed, set it back" in said
    assert "make the topic anew with 4" in said


def test_the_dead_letters_may_have_any_number() -> None:
    """They belong to no shard."""
    assert not faults(NAMES.dead_letters, 1)
    assert not faults(NAMES.dead_letters, 9)


def test_what_is_on_one_disk_only_is_said() -> None:
    """Of the topics that a process writes or reads; two copies can still be lost, but not with one disk."""
    found = [TopicFound("usage", 4, 1), TopicFound("accounts", 4, 3), TopicFound("keys", 4, 2), TopicFound("dlq", 1, 1)]

    said = single_copy_warning(found, {"usage", "accounts", "keys"})
    assert "each record of usage is on one broker's disk only" in said
    assert "BILLING_KAFKA_REPLICATION_FACTOR=3" in said
    assert "each record of usage, dlq is" in single_copy_warning(found, {"usage", "dlq"})
    assert not single_copy_warning(found, {"accounts", "keys"})


def tables() -> list[TopicSpec]:
    """Accounts, API keys and orders to pass offsets by."""
    return [spec for spec in topic_specs(KafkaSettings(partitions=3)) if spec.configs["cleanup.policy"] == "compact"]


@pytest.mark.parametrize(("kept_days", "right"), [(1, False), (13, False), (14, True), (400, True)])
def test_a_table_keeps_what_was_removed_for_longer_than_it_is_relied_upon(kept_days: int, right: bool) -> None:
    """Kafka's default is a day: who is away for longer would never hear of a revoked key."""
    for spec in tables():
        configs = {**spec.configs, "delete.retention.ms": str(kept_days * 86_400_000)}
        assert (topic_faults(spec, 3, configs) == []) is right
    assert len(tables()) == 3
    assert TOMBSTONE_SECONDS >= 2 * VOUCHED_SECONDS
