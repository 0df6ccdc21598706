"""The usage to bill: accounts with customers, events spread over their meters and hours; and its sums."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import Producer

from bench.topic import FLUSH_SECONDS, write
from metering.account import Account
from metering.bucket import hour_of
from metering.meters import CATALOGUE
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

ANCHOR_HOURS = 15 * 24  # hours since the current billing period began: so nothing is carried forward
MOST_UNITS = 9  # units of one event
REPEATED = 0.01  # share of events that come twice
_EVENT = (
    '{"specversion":"1.0","id":"%016x","source":"/sms/gateway-1","type":"%s","subject":"%s","time":"%s",'
    '"data":{"quantity":%d}}'
)


@dataclass
class BilledUsage:
    """The customers by account; `units`: the units that must be billed, by customer and meter."""

    customers: dict[str, str]
    units: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: int = 0

    def events_of(self, units: int, hours: int, *, now: int, seed: int) -> Iterator[tuple[str, str]]:
        """Yields (account, value) of events with `units` in total, for all account-meters in each of the last `hours`.

        A few events come twice, and count once. Every bucket gets at least one event, so `units` may be exceeded if
        there are more buckets than units.
        """
        rng = random.Random(seed)  # noqa: S311 - a load, not a secret
        times = [from_unix(min(now, 3600 * (hour_of(now) - back))) for back in range(hours)]
        buckets = [(name, meter.name, at) for at in reversed(times) for name in self.customers for meter in CATALOGUE]
        left = max(units, len(buckets))
        while left:
            for at, (account, meter, moment) in enumerate(buckets):
                first_round = self.events < len(buckets)
                spare = left - (len(buckets) - at - 1 if first_round else 0)
                quantity = min(rng.randint(1, MOST_UNITS), spare)
                if quantity <= 0:
                    break
                left -= quantity
                self.events += 1
                self.units[self.customers[account], meter] += quantity
                value = _EVENT % (rng.getrandbits(64), meter, account, moment, quantity)
                yield account, value
                if rng.random() < REPEATED:
                    yield account, value


def publish_accounts(settings: KafkaSettings, customers: dict[str, str]) -> None:
    """Publishes the accounts' customers, and an anchor, to the accounts topic."""
    producer, topic = _producer(settings), TopicNames(settings.topic_prefix).accounts
    anchor = 3600 * (hour_of(int(time.time())) - ANCHOR_HOURS)
    for name, customer in customers.items():
        value = Account(customer=customer, anchor=anchor).to_json()
        write(producer, topic, name, value, partition_of(name, settings.partitions))
    _flush(producer)


def publish_usage(settings: KafkaSettings, usage: BilledUsage, units: int, hours: int, seed: int) -> None:
    """Sends the events to the usage topic."""
    producer, topic = _producer(settings), TopicNames(settings.topic_prefix).usage
    for account, value in usage.events_of(units, hours, now=int(time.time()), seed=seed):
        write(producer, topic, account, value.encode(), partition_of(account, settings.partitions))
    _flush(producer)


def _producer(settings: KafkaSettings) -> Producer:
    return Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "linger.ms": 50, "acks": "all"})


def _flush(producer: Producer) -> None:
    if producer.flush(FLUSH_SECONDS):
        raise RuntimeError(f"Kafka did not take everything within {FLUSH_SECONDS:g} s")
