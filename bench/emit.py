"""Publishes events at a steady rate, and prints the times at which they were sent: `python -m bench.emit TASK`."""

import gc
import json
import sys
import time
from dataclasses import asdict, dataclass

from confluent_kafka import Producer

from bench.load import events
from bench.topic import write
from metering.partition import partition_of
from runtime.topics import TopicNames

TICK_SECONDS = 0.002
LINGER_MS = 20  # as the services' own client does (`telephony_billing_producers._kafka.connection`)


@dataclass(frozen=True, slots=True)
class Emission:
    """`rate` events per second for `seconds`, to the usage topic under `prefix`; `seed` makes their identities."""

    bootstrap: str
    prefix: str
    partitions: int
    rate: float
    seconds: float
    seed: int

    @property
    def count(self) -> int:
        """Returns the number of events."""
        return round(self.rate * self.seconds)

    def text(self) -> str:
        """Returns the emission as a command-line argument."""
        return json.dumps(asdict(self))


def emit(emission: Emission) -> list[list[float]]:
    """Publishes. Returns the times (monotonic seconds) at which events were handed to the client, by partition."""
    topic, partitions = TopicNames(emission.prefix).usage, emission.partitions
    load = [
        (account, value, partition_of(account, partitions))
        for account, value in events(emission.count, now=int(time.time()), seed=emission.seed)
    ]
    producer = Producer({"bootstrap.servers": emission.bootstrap, "linger.ms": LINGER_MS, "acks": "all"})
    producer.list_topics(topic)  # connects
    sent: list[list[float]] = [[] for _ in range(partitions)]
    started, done = time.monotonic(), 0
    while done < len(load):
        until = min(len(load), int((time.monotonic() - started) * emission.rate) + 1)
        for account, value, partition in load[done:until]:
            sent[partition].append(time.monotonic())
            write(producer, topic, account, value, partition)
        done = until
        producer.poll(0)
        time.sleep(TICK_SECONDS)
    producer.flush()
    return sent


if __name__ == "__main__":
    gc.disable()  # its pauses would look like the aggregator's
    print(json.dumps(emit(Emission(**json.loads(sys.argv[1])))))  # noqa: T201 - the answer
