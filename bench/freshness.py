"""How long after it was sent an event is counted, and what that costs, at a steady rate."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from redis import Redis

from bench.aggregator_process import Counters, Reading, cpu_seconds, running_aggregator
from bench.emit import Emission
from bench.servers import PARTITIONS, Servers
from runtime.settings import KafkaSettings
from runtime.topics import create_topics

PREFIX = "live-"
POLL_SECONDS = 0.01  # how exactly a moment is known; to look more often would take a good part of a core
WARM_UP = 500.0, 3.0  # events per second, seconds: a young JVM is slow, and not the question


@dataclass(frozen=True, slots=True)
class Freshness:
    """Milliseconds from sent to counted, and the share of a core that the aggregator had meanwhile."""

    rate: float
    events: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    core_share: float


@dataclass(slots=True)
class Live:
    """A running aggregator that has caught up with everything, and its counters."""

    servers: Servers
    process: psutil.Process
    counters: Counters
    seed: int = 100

    def measure(self, rate: float, seconds: float) -> Freshness:
        """Sends at `rate` events per second for `seconds`."""
        self.seed += 1
        emission = Emission(self.servers.kafka, PREFIX, PARTITIONS, rate, seconds, self.seed)
        before = self.counters.now()
        sent: list[list[float]] = []
        emitting = threading.Thread(target=lambda: sent.extend(_emit(emission)))
        emitting.start()
        readings, cpu = [before], [(before.at, cpu_seconds(self.process))]
        for reading in self.counters.watch(POLL_SECONDS, before.total + emission.count):
            if reading.total > readings[-1].total:
                readings.append(reading)
                cpu.append((reading.at, cpu_seconds(self.process)))
        emitting.join()
        late = sorted(latencies(sent, readings))
        share = (cpu[-1][1] - cpu[1][1]) / (cpu[-1][0] - cpu[1][0])
        return Freshness(rate, len(late), _ms(late, 0.5), _ms(late, 0.99), _ms(late, 1.0), share)


@contextmanager
def live(servers: Servers, say: Callable[[str], None]) -> Iterator[Live]:
    """Topics of its own, empty; Redis flushed."""
    settings = KafkaSettings(kafka_bootstrap_servers=servers.kafka, topic_prefix=PREFIX, partitions=PARTITIONS)
    create_topics(settings)
    say("starting an aggregator on empty topics")
    with Redis.from_url(servers.redis_url) as redis:
        redis.flushall()
        with running_aggregator(servers, settings) as process:
            counters = Counters(redis, PARTITIONS)
            counters.wait_ready()
            running = Live(servers, process, counters)
            running.measure(*WARM_UP)
            yield running


def latencies(sent: Sequence[Sequence[float]], readings: Sequence[Reading]) -> Iterator[float]:
    """Seconds per event: a partition's k-th event is counted once its shard has read k more than at first."""
    for partition, moments in enumerate(sent):
        done, base = 0, readings[0].read[partition]
        for reading in readings[1:]:
            until = reading.read[partition] - base
            for moment in moments[done:until]:
                yield reading.at - moment
            done = max(done, until)


def _emit(emission: Emission) -> list[list[float]]:
    ran = subprocess.run([sys.executable, "-m", "bench.emit", emission.text()], stdout=subprocess.PIPE, check=True)
    sent: list[list[float]] = json.loads(ran.stdout)
    return sent


def _ms(ordered: Sequence[float], share: float) -> float:
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]
