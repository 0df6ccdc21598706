"""The documented usage, as the demo publishes it."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from local.demo import Demo, Published
from local.demo_accounts import DOCS_ACCOUNT, LIVE_ACCOUNTS, load_demo_accounts, save_demo_accounts
from local.demo_usage import DOCUMENTED
from metering.event import UsageEvent, read_event
from metering.meters import CATALOGUE
from metering.period import period_containing
from producers.emitter import UsageEmitter
from producers.settings import EmitterSettings
from runtime.settings import KafkaSettings
from runtime.topics import create_topics
from tests.producers.conftest import UsageTopic

END_OF_MONTH = 1_764_547_199  # 2025-11-30T23:59:59Z
NUMBERS = 3 * len(LIVE_ACCOUNTS)


class Publishing:
    """A demo whose clock is the test's."""

    def __init__(self, emitter: UsageEmitter, topic: UsageTopic, file: Path) -> None:
        self._emitter, self._topic, self._file = emitter, topic, file

    def turn(self, now: float) -> None:
        """One turn of a demo that was just started."""
        Demo(self._emitter, Published(self._file, "topic-1"), random.Random(1)).turn(now)
        self._emitter.flush(20)

    def documented(self, count: int) -> list[dict]:
        """The docs account's events among the topic's `count` records."""
        events = [json.loads(record.value) for record in self._topic.records(count)]
        return [event for event in events if event["subject"] == DOCS_ACCOUNT]


@pytest.fixture
def publishing(kafka_bootstrap: str, topic_prefix: str, tmp_path: Path) -> Publishing:
    """A demo on a topic of the test's own."""
