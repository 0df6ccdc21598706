"""The topics: what they are called, how they must be set, and the check that refuses to start on any other."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from runtime.kafka import sync_options
from runtime.settings import KafkaSettings

DAY_MS = 24 * 3600 * 1000
USAGE_RETENTION_MS = 70 * DAY_MS  # two billing periods of 31 days, and the days an event may be late by
PUSH_RETENTION_MS = 140 * DAY_MS  # twice the usage log: no bucket outlives the record of what was claimed from it
DEAD_LETTER_MAX_BYTES = 2 * 1024 * 1024  # the largest record a default broker takes, and its headers
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


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How one topic must be. `partitions` None: one or more; `at_least_ms`: retention, None for compacted topics."""

    name: str
    partitions: int | None
    at_least_ms: int | None
    configs: dict[str, str] = field(default_factory=dict)


def topic_specs(settings: KafkaSettings) -> list[TopicSpec]:
    """The topics that the settings call for."""
    names, shards = TopicNames(settings.topic_prefix), settings.partitions
    safe = (
        {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
        if settings.kafka_replication_factor >= SAFE_REPLICATION
        else {}
    )
    log = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", **safe}
    table = {"cleanup.policy": "compact", **safe}
    return [
        TopicSpec(names.usage, shards, USAGE_RETENTION_MS, log),
        TopicSpec(
            names.dead_letters,
            None,
            USAGE_RETENTION_MS,
            {"cleanup.policy": "delete", "max.message.bytes": str(DEAD_LETTER_MAX_BYTES), **safe},
        ),
        TopicSpec(names.accounts, shards, None, table),
        TopicSpec(names.api_keys, shards, None, table),
        TopicSpec(names.pushes, shards, PUSH_RETENTION_MS, log),
    ]


def create_topics(settings: KafkaSettings) -> list[str]:
    """Creates the topics that are missing and gives their names; those that exist are left as they are."""
    admin = KafkaAdminClient(**sync_options(settings))
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


def verify_topics(settings: KafkaSettings) -> None:
    """Compares every topic with what the platform counts on.

    Raises:
        TopicMismatchError: at least one is missing or differs; nothing may be read or written then.
    """
    admin = KafkaAdminClient(**sync_options(settings))
    try:
        existing = set(admin.list_topics())
        faults = []
        for spec in topic_specs(settings):
            if spec.name not in existing:
                faults.append(f"{spec.name} does not exist: run `billing topics`")
                continue
            partitions = len(admin.describe_topics([spec.name])[0]["partitions"])
            faults += [f"{spec.name}: {fault}" for fault in topic_faults(spec, partitions, _configs(admin, spec.name))]
    finally:
        admin.close()
    if faults:
        raise TopicMismatchError("the topics are not as the platform counts on:\n  " + "\n  ".join(faults))


def topic_faults(spec: TopicSpec, partitions: int, configs: dict[str, str]) -> list[str]:
    """What is wrong with a topic, each with what to do; empty for a topic that is as it must be."""
    faults = []
    if spec.partitions is not None and partitions != spec.partitions:
        faults.append(
            f"has {partitions} partitions, BILLING_PARTITIONS says {spec.partitions}: "
            "the number is chosen once; set the variable to what the topic has"
        )
    for name, wanted in spec.configs.items():
        actual = configs.get(name)
        enough = name == "max.message.bytes" and actual is not None and int(actual) >= int(wanted)
        if actual != wanted and not enough:
            faults.append(f"{name} is {actual}, must be {wanted}: alter the topic's configuration")
    if spec.at_least_ms is not None:
        retention, size = int(configs.get("retention.ms", "0")), configs.get("retention.bytes")
        if retention != -1 and retention < spec.at_least_ms:
            faults.append(f"retention.ms is {retention}, must be at least {spec.at_least_ms}")
        if size != "-1":
            faults.append(f"retention.bytes is {size}, must be -1: size may not decide what is forgotten")
    return faults


def _configs(admin: Any, topic: str) -> dict[str, str]:
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {name: config["value"] for name, config in described["topic"][topic].items()}
