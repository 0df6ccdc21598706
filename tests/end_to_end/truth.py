"""Usage as its publisher knows it: published with a client and arithmetic that share nothing with the product."""

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from confluent_kafka import Producer

METERS = ("sms.send", "sms.receive", "voice.outbound", "voice.inbound", "voice.ai", "did.monthly")
# Of every account: its billing period began then, and does not end while tests run, as the calendar month may.
ANCHOR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=10)


@dataclass
class Truth:
    """What was published: units by account and meter, in the current billing period and in all; rejects by reason."""

    period: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    whole: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    rejected: Counter[str] = field(default_factory=Counter)


class Publisher:
    """Publishes through librdkafka, whose default partitioner is not Kafka's own."""

    def __init__(self, bootstrap: str, topic: str, seed: int, **options: object) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0, **options})
        self._topic = topic
        self._random = random.Random(seed)  # noqa: S311
        self._names = (f"{seed}-{number}" for number in count())
        self.truth = Truth()

    def publish(self, accounts: list[str], events: int, duplicates: float = 0.02, rejects: float = 0.0) -> None:
        """Mixed load: event times up to 33 days old, exact duplicates, and records that can't be counted."""
        now = datetime.now(UTC)
        for _ in range(events):
            if self._random.random() < rejects:
                self._reject(self._random.choice(accounts), now)
                continue
            value = self._event(self._random.choice(accounts), now)
            for _ in range(2 if self._random.random() < duplicates else 1):
                self._send(str(value["subject"]), json.dumps(value))

    def flush(self) -> None:
        """Returns once Kafka has everything."""
        assert self._producer.flush(60) == 0

    def _event(self, account: str, now: datetime) -> dict[str, object]:
        meter, quantity = self._random.choice(METERS), self._random.randint(1, 9)
        time = now - timedelta(hours=self._random.choice((0, 0, 0, 0, 1, 2, 26, 33 * 24)))
        self.truth.whole[account][meter] += quantity
        if time >= ANCHOR:
            self.truth.period[account][meter] += quantity
        return self._envelope(account, next(self._names), meter, time, quantity)

    def _envelope(self, account: str, name: str, meter: str, time: datetime, quantity: object) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": name,
            "source": "/independent",
            "type": meter,
            "subject": account,
            "time": time.isoformat(),
            "data": {"quantity": quantity},
        }

    def _reject(self, account: str, now: datetime) -> None:
        name, day = next(self._names), timedelta(days=1)
        reason, value = self._random.choice(
            [
                ("invalid_json", "{not json"),
                ("unknown_meter", json.dumps(self._envelope(account, name, "fax.send", now, 1))),
                ("time_too_old", json.dumps(self._envelope(account, name, METERS[0], now - 36 * day, 1))),
                ("time_in_future", json.dumps(self._envelope(account, name, METERS[0], now + day, 1))),
                ("invalid_quantity", json.dumps(self._envelope(account, name, METERS[0], now, "2"))),
                ("invalid_account", json.dumps(self._envelope("no such account", name, METERS[0], now, 1))),
                ("invalid_event", json.dumps(self._envelope(account, "", METERS[0], now, 1))),
            ]
        )
        self.truth.rejected[reason] += 1
        self._send(account, value)

    def _send(self, key: str, value: str) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return
