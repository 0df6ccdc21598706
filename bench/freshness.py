"""Measures the time from the sending to the counting of events at a steady rate, and the processor time."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import psutil
from redis import Redis

from bench.aggregator_process import ProcessCounters, ProcessReading, cpu_seconds, running_aggregator
from bench.emit import Emission
from bench.servers import PARTITIONS, Servers
from runtime.settings import KafkaSettings
from runtime.topics import create_topics

PREFIX = "live-"
POLL_SECONDS = 0.01  # seconds: the precision of a time; more frequent looks would take a good part of a core
SETTLE_SECONDS = 5.0  # seconds at the beginning that are left out, while Kafka's JVM compiles for the new rate


@dataclass(frozen=True, slots=True)
class Freshness:
    """Milliseconds from sent to counted; the aggregator's share of a core, and all processes' share of all cores."""

    rate: float
    events: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    core_share: float
    machine_share: float


class FreshnessLook(NamedTuple):
    """The counters at a time, and processor seconds up to it: the aggregator's, the machine's busy and idle ones."""

    reading: ProcessReading
    own_seconds: float
    busy_seconds: float
    idle_seconds: float


@dataclass(slots=True)
class Live:
    """A running aggregator that has caught up, and its counters."""

    servers: Servers
    process: psutil.Process
    counters: ProcessCounters
    seed: int = 100

    def measure(self, rate: float, seconds: float) -> Freshness:
        """Sends `rate` events per second for the settling time, and then for `seconds`; measures the latter."""
        self.seed += 1
        emission = Emission(self.servers.kafka, PREFIX, PARTITIONS, rate, SETTLE_SECONDS + seconds, self.seed)
        looks = [self._look(self.counters.now())]
        sent: list[list[float]] = []
        emitting = threading.Thread(target=lambda: sent.extend(_emit(emission)))
        emitting.start()
        for reading in self.counters.watch(POLL_SECONDS, looks[0].reading.total + emission.count):
            if reading.total > looks[-1].reading.total:
                looks.append(self._look(reading))
        emitting.join()
        settled = min(moments[0] for moments in sent if moments) + SETTLE_SECONDS
        late = sorted(latencies(sent, [look.reading for look in looks], settled))
        first, last = next(look for look in looks if look.reading.at >= settled), looks[-1]
        busy, idle = last.busy_seconds - first.busy_seconds, last.idle_seconds - first.idle_seconds
        own_share = (last.own_seconds - first.own_seconds) / (last.reading.at - first.reading.at)
        return Freshness(
            rate, len(late), _ms(late, 0.5), _ms(late, 0.99), _ms(late, 1.0), own_share, busy / (busy + idle)
        )

    def _look(self, reading: ProcessReading) -> FreshnessLook:
        machine = psutil.cpu_times()
        idle = machine.idle + getattr(machine, "iowait", 0.0)  # Linux has the latter
        return FreshnessLook(reading, cpu_seconds(self.process), sum(machine) - idle, idle)


@contextmanager
def live(servers: Servers, say: Callable[[str], None]) -> Iterator[Live]:
    """Runs an aggregator on its own, empty topics and a flushed Redis."""
    settings = KafkaSettings(kafka_bootstrap_servers=servers.kafka, topic_prefix=PREFIX, partitions=PARTITIONS)
    create_topics(settings)
    say("starting an aggregator on empty topics")
    with Redis.from_url(servers.redis_url) as redis:
        redis.flushall()
        with running_aggregator(servers, settings) as process:
            counters = ProcessCounters(redis, PARTITIONS)
            counters.wait_ready()
            yield Live(servers, process, counters)


def latencies(sent: Sequence[Sequence[float]], readings: Sequence[ProcessReading], since: float) -> Iterator[float]:
    """Yields the seconds from sent to counted for all events sent from `since` on.

    A partition's k-th event is counted once its shard has read k more records than at the first reading.
    """
    for partition, moments in enumerate(sent):
        done, base = 0, readings[0].read[partition]
        for reading in readings[1:]:
            until = reading.read[partition] - base
            yield from (reading.at - moment for moment in moments[done:until] if moment >= since)
            done = max(done, until)


def _emit(emission: Emission) -> list[list[float]]:
    ran = subprocess.run([sys.executable, "-m", "bench.emit", emission.text()], stdout=subprocess.PIPE, check=True)
    sent: list[list[float]] = json.loads(ran.stdout)
    return sent


def _ms(ordered: Sequence[float], share: float) -> float:
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]
