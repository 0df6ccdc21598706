"""The steps that a stack runs once while it boots, besides starting services."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

from local.demo.accounts import (
    ANCHORS,
    DOCS_ACCOUNT,
    DemoAccounts,
    load_demo_accounts,
    save_demo_accounts,
)
from local.demo.usage import DOCUMENTED
from local.servers.kafka_files import kafka_files
from local.stack.boot import BootStep, Start
from local.stack.counting_progress import CountingProgress
from local.stack.plan import StackPlan
from local.stack.probes import ask, is_there
from local.stack.services import StackServices
from local.stack.stripe_setup import make_customers, set_up_meters
from local.stack.topic_id import topic_id
from runtime.settings import KafkaSettings, StripeSettings
from runtime.topics import TopicNames, create_topics, verify_topics

# Writes records to a compacted topic: settings, topic, value (None: a tombstone) by key.
WriteRecords = Callable[[KafkaSettings, str, Mapping[str, bytes | None]], object]

POLL_SECONDS = 0.05  # seconds between two polls
DOCUMENTED_SECONDS = 60.0  # seconds to wait for the documented usage


class StackSteps:
    """Makes the steps of a plan. Setting `given_up` ends the steps that wait."""

    def __init__(self, services: StackServices, kafka: KafkaSettings, stripe: StripeSettings, cache: Path) -> None:
        self._services = services
        self._plan: StackPlan = services.plan
        self._kafka = kafka
        self._stripe = stripe
        self._cache = cache
        self._demo_file = services.directory.demo / "accounts.json"
        self._counting = CountingProgress(services.metrics_urls())
        self.given_up = Event()
        self.accounts: DemoAccounts | None = load_demo_accounts(self._demo_file) if self._plan.options.demo else None

    def steps(self, starts: list[Start], write: WriteRecords) -> list[BootStep]:
        """Returns all steps, with the tasks that they need."""
        kafka = {"kafka"} if self._plan.kafka else set()
        double = {"stripe-double"} if self._plan.double else set()
        running = {start.name for start in starts}
        steps = [
            BootStep("topics", frozenset(kafka), self._topics),
            BootStep("meters", frozenset(double), self._meters),
            BootStep("ready", frozenset(running), self._ready, progress=lambda: self._counting.words),
        ]
        if self._plan.kafka:
            steps.append(BootStep("kafka files", frozenset(), self._kafka_files))
        if self.accounts is not None:
            steps += [
                BootStep("demo accounts", frozenset({"topics", *double}), lambda: self._demo_accounts(write)),
                BootStep("demo totals", frozenset({"ready", "demo accounts", "demo"}), self._demo_totals),
            ]
        return steps

    def _kafka_files(self) -> str:
        self._services.files = kafka_files(self._cache)
        return ""

    def _topics(self) -> str:
        created = create_topics(self._kafka)
        verify_topics(self._kafka)
        return f"created {', '.join(created)}" if created else "as they must be"

    def _meters(self) -> str:
        created = set_up_meters(self._stripe)
        return f"created {', '.join(created)} at Stripe" if created else "as they must be"

    def _demo_accounts(self, write: WriteRecords) -> str:
        accounts = self.accounts
        assert accounts is not None, "only a demo has this step"  # noqa: S101
        names = TopicNames(self._kafka.topic_prefix)
        topic = topic_id(self._kafka, names.accounts)
        if accounts.recorded_in == topic:
            return "remembered"
        missing = {account: anchor for account, anchor in ANCHORS.items() if account not in accounts.customers}
        made = make_customers(self._stripe, missing, self._plan.env["BILLING_NAMESPACE"], time.time())
        customers = {**accounts.customers, **made}
        accounts = DemoAccounts(accounts.keys, customers)
        save_demo_accounts(self._demo_file, accounts)
        write(self._kafka, names.accounts, accounts.account_records())
        write(self._kafka, names.api_keys, accounts.key_records(int(time.time())))
        self.accounts = DemoAccounts(accounts.keys, customers, recorded_in=topic)
        save_demo_accounts(self._demo_file, self.accounts)
        return f"made {', '.join(ANCHORS)}"

    def _ready(self) -> str:
        self._until(self._is_ready, None)
        return "every shard answers"

    def _is_ready(self) -> bool:
        if is_there(f"{self._plan.api_url}/readyz"):
            return True
        self._counting.look()
        return False

    def _demo_totals(self) -> str:
        """Waits for the documented usage, or more. It may never come, if a person changed the account."""
        found = self._until(self._has_documented, DOCUMENTED_SECONDS)
        if found:
            return f"{DOCS_ACCOUNT} has the documented usage"
        return f"{DOCS_ACCOUNT} does not have the documented usage: was it or its key changed? --fresh starts anew"

    def _has_documented(self) -> bool:
        assert self.accounts is not None, "only a demo has this step"  # noqa: S101
        key = self.accounts.keys[DOCS_ACCOUNT]
        answer = ask(f"{self._plan.api_url}/api/billing/usage", {"Authorization": f"Bearer {key}"})
        if answer.status != 200:
            return False
        totals = answer.totals()
        return all(totals.get(meter, 0) >= units for meter, units in DOCUMENTED.items())

    def _until(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        end = None if seconds is None else time.monotonic() + seconds
        while not (held := condition()) and not self.given_up.is_set() and (end is None or time.monotonic() < end):
            time.sleep(POLL_SECONDS)
        return held
