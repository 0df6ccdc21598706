"""The demo: the documented usage of each period exactly once, and traffic."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from local.demo.__main__ import Demo, Published
from local.demo.accounts import ANCHORS, DOCS_ACCOUNT, load_demo_accounts, save_demo_accounts
from local.demo.usage import DOCUMENTED
from metering.account import Account
from metering.api_key import is_well_formed
from metering.event import read_event
from metering.meters import BY_INDEX
from metering.period import period_containing
from metering.usage_event import UsageEvent
from telephony_billing_producers import EmitterSettings, UsageEmitter
from tests.producers.conftest import UsageTopic

END_OF_MONTH = 1_764_547_199  # 2025-11-30T23:59:59Z


class Publishing:
    """Demos, one after the other, on a topic of the test's own, at the time that the test says."""

    def __init__(self, topic: UsageTopic, directory: Path) -> None:
        self._topic = topic
        self._file = directory / "published.json"
        self._now = 0.0
        settings = EmitterSettings(
            bootstrap_servers=topic.bootstrap, topic_prefix=topic.prefix, spool_directory=directory / "spool"
        )
        self.emitter = UsageEmitter(settings, registry=CollectorRegistry(), clock=lambda: self._now)

    def demo(self, topic_id: str = "topic-1") -> Demo:
        """A demo that was just started."""
        return Demo(self.emitter, Published(self._file, topic_id), random.Random(1))  # noqa: S311 - a test

    def turn(self, demo: Demo, now: float) -> None:
        """One turn, acknowledged."""
        self._now = now
        demo.turn(now)
        self.emitter.flush(20)

    def documented(self, least: int) -> list[bytes]:
        """The docs account's records of the topic, which must have `least` of them."""
        others = least // sum(DOCUMENTED.values())  # each period has other accounts' events as well
        records = [record.value for record in self._topic.records(least + others)]
        return [value for value in records if json.loads(value)["subject"] == DOCS_ACCOUNT]


@pytest.fixture
def publishing(kafka_bootstrap: str, topic_prefix: str, tmp_path: Path) -> Iterator[Publishing]:
    """On the shared Kafka."""
    topic = UsageTopic(kafka_bootstrap, topic_prefix)
    topic.create()
    publishing = Publishing(topic, tmp_path)
    yield publishing
    publishing.emitter.close()


def counted(values: list[bytes], now: int) -> Counter[str]:
    """Units by meter of the distinct events, as the platform reads them at `now`; each must lie in now's period."""
    period, units, seen = period_containing(now, None), Counter[str](), set[int]()
    for value in values:
        event = read_event(value, now * 1000)
        assert isinstance(event, UsageEvent), event
        if event.member not in seen:
            assert period.contains(event.time)
            units[BY_INDEX[event.meter].name] += event.quantity
            seen.add(event.member)
    return units


def test_a_period_gets_the_documented_usage(publishing: Publishing) -> None:
    """Even in its last second; all of it is accepted and lies in the period."""
    publishing.turn(publishing.demo(), END_OF_MONTH)
    documented = publishing.documented(sum(DOCUMENTED.values()))
    assert counted(documented, END_OF_MONTH) == DOCUMENTED


def test_publishing_again_makes_identical_duplicates(publishing: Publishing) -> None:
    """When what was remembered is lost, every event is published a second time, byte for byte."""
    publishing.turn(publishing.demo("topic-1"), END_OF_MONTH - 1000)
    publishing.turn(publishing.demo("topic-2"), END_OF_MONTH)
    documented = publishing.documented(2 * sum(DOCUMENTED.values()))
    assert set(Counter(documented).values()) == {2}


def test_a_restart_does_not_publish_again_what_was_acknowledged(publishing: Publishing) -> None:
    """The period is remembered with the topic that it is in; the next period is published as it begins."""
    publishing.turn(publishing.demo(), END_OF_MONTH - 1000)
    running = publishing.demo()
    publishing.turn(running, END_OF_MONTH)
    publishing.turn(running, END_OF_MONTH + 1)
    documented = publishing.documented(2 * sum(DOCUMENTED.values()))
    assert len(documented) == len(set(documented)) == 2 * sum(DOCUMENTED.values())
    new = [value for value in documented if b'"time":"2025-12-01T00:00:00.000Z"' in value]
    assert counted(new, END_OF_MONTH + 1) == DOCUMENTED


def test_accounts_keep_their_keys(tmp_path: Path) -> None:
    """The first start makes a key for each account; what is remembered is the same, and private."""
    file = tmp_path / "accounts.json"
    accounts = load_demo_accounts(file)
    save_demo_accounts(file, accounts)
    assert load_demo_accounts(file) == accounts
    assert file.stat().st_mode & 0o077 == 0
    assert set(accounts.keys) == set(ANCHORS)
    assert all(is_well_formed(key) for key in accounts.keys.values())


def test_the_documented_account_has_calendar_months(tmp_path: Path) -> None:
    """Its period is the one that its usage is published for; its record has what Stripe needs."""
    accounts = load_demo_accounts(tmp_path / "none.json")
    billed = type(accounts)(accounts.keys, {DOCS_ACCOUNT: "cus_1"})
    record = billed.account_records()[DOCS_ACCOUNT]
    assert record is not None
    assert Account.model_validate_json(record) == Account(customer="cus_1")
