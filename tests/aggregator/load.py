"""A load whose outcome is known beforehand."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import Producer

from metering.meters import CATALOGUE
from metering.rfc3339 import from_unix
from tests.support.usage_event import usage_record

ACCOUNTS = [f"account-{number}" for number in range(24)]


@dataclass
class Load:
    """Events of many accounts. `units` is what must be counted of everything that was made so far."""

    seed: int = 1
    units: Counter[tuple[str, str]] = field(default_factory=Counter)
    made: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311
        self._old: list[tuple[str, bytes]] = []

    def events(self, count: int, repeated: float = 0.1) -> Iterator[tuple[str, bytes]]:
        """(key, value) of so many records, some of them repetitions of earlier ones."""
        for _ in range(count):
            if self._old and self._random.random() < repeated:
                yield self._random.choice(self._old)
                continue
            yield self.event()

    def event(self) -> tuple[str, bytes]:
        """A new one."""
        self.made += 1
        account, meter = self._random.choice(ACCOUNTS), self._random.choice(CATALOGUE).name
        quantity = self._random.choice((1, 1, 2, 60))
        self.units[account, meter] += quantity
        value = usage_record(
            id=f"{self.seed}-{self.made}",
            source="/load",
            type=meter,
            subject=account,
            time=from_unix(int(time.time()) - self._random.choice((0, 0, 5, 7200))),
            data={"quantity": quantity},
        )
        self._old.append((account, value))
        return self._old[-1]


def write(producer: Producer, topic: str, records: Iterator[tuple[str, bytes]]) -> None:
    """Writes all and waits for all acknowledgements."""
    failed = []
    for key, value in records:
        while True:
            try:
                producer.produce(
                    topic, value, key, on_delivery=lambda error, _: failed.append(error) if error else None
                )
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(30) == 0
    assert not failed
