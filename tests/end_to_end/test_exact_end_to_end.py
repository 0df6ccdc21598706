"""The whole path as an outsider judges it: published, counted, dead-lettered, billed; equal to the unit, always."""

from collections import Counter
from dataclasses import dataclass
from threading import Event, Thread

import pytest

from tests.end_to_end.truth import ANCHOR, METERS, Publisher
from tests.support.eventually import eventually
from tests.support.stack import Stack

API_SECONDS = 5.0
STRIPE_SECONDS = 60.0
API_AFTER_FAULT_SECONDS = 30.0
STRIPE_AFTER_FAULT_SECONDS = 90.0


@dataclass(frozen=True)
class Customer:
    """An account with everything an outsider needs to check it."""

    account: str
    stripe_id: str
    api_key: str


def make_customer(stack: Stack, account: str) -> Customer:
    """An account made with the command line alone."""
    stripe_id = stack.new_customer(account)
    stack.billing("accounts", "set", account, "--stripe-customer", stripe_id, "--anchor", ANCHOR.isoformat())
    return Customer(account, stripe_id, stack.billing("keys", "create", account))


def full(units: dict[str, int]) -> dict[str, int]:
    """With a zero for each meter that was not used."""
    return {meter: units.get(meter, 0) for meter in METERS}


class Watcher:
    """Reads totals without a pause and remembers the first that was smaller than one before."""

    def __init__(self, stack: Stack, customers: list[Customer]) -> None:
        self._stack, self._customers = stack, customers
        self._stop = Event()
        self._thread = Thread(target=self._watch)
        self.shrunk: str | None = None
        self.reads = 0

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        highest: dict[tuple[str, str], int] = {}
        while not self._stop.is_set():
            for customer in self._customers:
                for meter, total in (self._stack.totals(customer.api_key) or {}).items():
                    place = (customer.account, meter)
                    if total < highest.get(place, 0):
                        self.shrunk = f"{place}: {highest[place]} then {total}"
                    highest[place] = max(total, highest.get(place, 0))
                    self.reads += 1


@pytest.mark.timeout(300)
def test_mixed_load_is_exact_everywhere(stack: Stack) -> None:
    """Given another client's partitioner, duplicates and rejects, API, dead letters and Stripe agree with the truth."""
    customers = [make_customer(stack, f"mixed_{number}") for number in range(3)]
    before = Counter(stack.dead_letters().values())
    publisher = Publisher(stack.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"], "usage.events", seed=1)

    publisher.publish([customer.account for customer in customers], 5000, rejects=0.03)
    publisher.flush()

    truth = publisher.truth
    for customer in customers:
        expected = full(truth.period[customer.account])
        eventually(lambda c=customer, e=expected: stack.totals(c.api_key) == e, deadline=API_SECONDS)
    # Those behind the last event that counts may be a moment later than the totals.
    eventually(lambda: Counter(stack.dead_letters().values()) - before == truth.rejected, what="the dead letters")
    for customer in customers:
        expected = full(truth.whole[customer.account])
        eventually(lambda c=customer, e=expected: full(stack.reached_stripe(c.stripe_id)) == e, deadline=STRIPE_SECONDS)


@pytest.mark.timeout(400)
def test_exact_through_kills_and_a_flush(stack: Stack) -> None:
    """Given kill -9 of aggregators and workers and a FLUSHALL under load, the same equality, and no total shrinks."""
    customers = [make_customer(stack, f"faults_{number}") for number in range(3)]
    publisher = Publisher(
        stack.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"], "usage.events", seed=2, partitioner="murmur2_random"
    )
    accounts = [customer.account for customer in customers]

    with Watcher(stack, customers) as watcher:
        for fault in (
            lambda: stack.kill("aggregator"),
            lambda: stack.kill("stripe-sync"),
            stack.flush_redis,
            lambda: stack.kill("redis"),
            lambda: stack.kill("aggregator"),
        ):
            publisher.publish(accounts, 8000)
            fault()
        publisher.publish(accounts, 2000)
        publisher.flush()
        truth = publisher.truth
        for customer in customers:
            expected = full(truth.period[customer.account])
            eventually(lambda c=customer, e=expected: stack.totals(c.api_key) == e, deadline=API_AFTER_FAULT_SECONDS)
    assert watcher.shrunk is None
    assert watcher.reads > 0
    for customer in customers:
        expected = full(truth.whole[customer.account])
        eventually(
            lambda c=customer, e=expected: full(stack.reached_stripe(c.stripe_id)) == e,
            deadline=STRIPE_AFTER_FAULT_SECONDS,
        )
