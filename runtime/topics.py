"""The topics: what they are called, how they must be set, and the check that refuses to start on any other."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from metering.retention import PUSHES_KEPT_SECONDS, TOMBSTONE_SECONDS, USAGE_KEPT_SECONDS
from runtime.kafka_reaching import connected
from runtime.settings import KafkaSettings

USAGE_RETENTION_MS = USAGE_KEPT_SECONDS * 1000
PUSH_RETENTION_MS = PUSHES_KEPT_SECONDS * 1000
DEAD_LETTER_MAX_BYTES = 2 * 1024 * 1024  # the largest record a default broker takes, and its headers
AT_LEAST = {"max.message.bytes", "delete.retention.ms", "min.compaction.lag.ms"}  # of these, more does no harm
SAFE_REPLICATION = 3  # from here on acknowledged must mean: on two brokers


class TopicMismatchError(Exception):
    """A topic is missing or set otherwise than the platform counts on. The message names each and what to do."""


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Every topic under a prefix."""

    prefix: str = ""

    @property
    def usage(self) -> str:
        """The usage log."""
        return f"{self.prefix}usage.events"

    @property
    def dead_letters(self) -> str:
        """What could not be counted."""
        return f"{self.prefix}usage.events.dlq"

    @property
    def accounts(self) -> str:
        """Account to Stripe customer, anchor, subscription start."""
        return f"{self.prefix}billing.accounts"

    @property
    def api_keys(self) -> str:
        """Key hash to account."""
        return f"{self.prefix}billing.api-keys"

    @property
    def pushes(self) -> str:
        """The push log."""
        return f"{self.prefix}stripe.pushes"

    @property
    def quarantine(self) -> str:
        """What must be passed by, by order of a person."""
        return f"{self.prefix}usage.quarantine"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How one topic must be.

    `partitions` None: one or more; `may_grow`: more than these do no harm. `at_least_ms`: retention, None for compacted
    topics.
    """

    name: str
    partitions: int | None
    at_least_ms: int | None
    configs: dict[str, str] = field(default_factory=dict)
    may_grow: bool = False


def topic_specs(settings: KafkaSettings) -> list[TopicSpec]:
    """The topics that the settings call for."""
    names, shards = TopicNames(settings.topic_prefix), settings.partitions
    safe = (
        {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
        if settings.kafka_replication_factor >= SAFE_REPLICATION
        else {}
    )
    log = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", **safe}
    table = {"cleanup.policy": "compact", "delete.retention.ms": str(TOMBSTONE_SECONDS * 1000), **safe}
    return [
        TopicSpec(names.usage, shards, USAGE_RETENTION_MS, log, may_grow=True),
        TopicSpec(
            names.dead_letters,
            None,
            USAGE_RETENTION_MS,
            {"cleanup.policy": "delete", "max.message.bytes": str(DEAD_LETTER_MAX_BYTES), **safe},
        ),
        TopicSpec(names.accounts, shards, None, table | {"min.compaction.lag.ms": str(PUSHES_KEPT_SECONDS * 1000)}),
        TopicSpec(names.api_keys, shards, None, table),
        TopicSpec(names.pushes, shards, PUSH_RETENTION_MS, log),
        TopicSpec(names.quarantine, None, None, table | {"message.timestamp.type": "LogAppendTime"}),
    ]


def create_topics(settings: KafkaSettings) -> list[str]:
    """Creates the topics that are missing and gives their names; those that exist are left as they are."""
    admin = connected(KafkaAdminClient, settings)
    try:
        existing = set(admin.list_topics())
        missing = {spec.name: _creation(spec, settings) for spec in topic_specs(settings) if spec.name not in existing}
        if missing:
            with suppress(TopicAlreadyExistsError):  # somebody was faster; whoever needs a topic verifies it
                admin.create_topics(missing)
            admin.wait_for_topics(list(missing))
    finally:
        admin.close()
    return list(missing)


def _creation(spec: TopicSpec, settings: KafkaSettings) -> dict[str, object]:
    configs = dict(spec.configs)
    if spec.at_least_ms is not None:
        configs |= {"retention.ms": str(spec.at_least_ms), "retention.bytes": "-1"}
    return {
        "num_partitions": spec.partitions or 1,
        "replication_factor": settings.kafka_replication_factor,
        "configs": configs,
    }


@dataclass(frozen=True, slots=True)
class TopicFound:
    """A topic as it is: its partitions, and on how many brokers the one that is on fewest is."""

    name: str
    partitions: int
    copies: int


def verify_topics(settings: KafkaSettings) -> list[TopicFound]:
    """Compares every topic with what the platform counts on; gives them as they are.

    Raises:
        TopicMismatchError: at least one is missing or differs; nothing may be read or written then.
    """
    admin = connected(KafkaAdminClient, settings)
    try:
        existing, found, faults = set(admin.list_topics()), list[TopicFound](), list[str]()
        for spec in topic_specs(settings):
            if spec.name not in existing:
                faults.append(f"{spec.name} does not exist: run `billing topics`")
                continue
            partitions = admin.describe_topics([spec.name])[0]["partitions"]
            copies = min(len(each["replica_nodes"]) for each in partitions)
            found.append(TopicFound(spec.name, len(partitions), copies))
            configs = _configs(admin, spec.name)
            faults += [f"{spec.name}: {fault}" for fault in topic_faults(spec, len(partitions), configs)]
    finally:
        admin.close()
    if faults:
        raise TopicMismatchError("the topics are not as the platform counts on: " + "; ".join(faults))
    return found


def single_copy_warning(found: list[TopicFound], names: Collection[str]) -> str:
    """What can be lost of some topics because each of their records is on one disk only; empty for nothing."""
    single = [topic.name for topic in found if topic.name in names and topic.copies == 1]
    if not single:
        return ""
    return (
        f"each record of {', '.join(single)} is on one broker's disk only (replication factor 1): with that disk, or "
        "by a power cut, what was acknowledged can be lost. For more than a trial run three brokers, and set "
        "BILLING_KAFKA_REPLICATION_FACTOR=3 before the topics are made (docs/operating/production.md)"
    )


def topic_faults(spec: TopicSpec, partitions: int, configs: dict[str, str]) -> list[str]:
    """What is wrong with a topic, each with what to do; empty for a topic that is as it must be."""
    faults = _partition_faults(spec, partitions)
    for name, wanted in spec.configs.items():
        actual = configs.get(name)
        enough = name in AT_LEAST and actual is not None and int(actual) >= int(wanted)
        if actual != wanted and not enough:
            faults.append(f"{name} is {actual}, must be {wanted}: alter the topic's configuration")
    if spec.at_least_ms is not None:
        retention, size = int(configs.get("retention.ms", "0")), configs.get("retention.bytes")
        if retention != -1 and retention < spec.at_least_ms:
            faults.append(f"retention.ms is {retention}, must be at least {spec.at_least_ms}")
        if size != "-1":
            faults.append(f"retention.bytes is {size}, must be -1: size may not decide what is forgotten")
    return faults


def _partition_faults(spec: TopicSpec, partitions: int) -> list[str]:
    if spec.partitions is None or partitions == spec.partitions or (spec.may_grow and partitions > spec.partitions):
        return []
    said = (
        f"has {partitions} partitions, BILLING_PARTITIONS says {spec.partitions}, and the number is chosen once: "
        "if the variable was changed, set it back; if not, "
    )
    if partitions < spec.partitions:
        return [said + "billing did not make this topic: delete it if it is empty, and run `billing topics`"]
    return [
        said + "partitions were added, which can't be undone: make the topic anew with "
        f"{spec.partitions}, and copy each partition's records to the one of the same number"
    ]


def _configs(admin: Any, topic: str) -> dict[str, str]:
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {name: config["value"] for name, config in described["topic"][topic].items()}
