"""All contestants count the same preloaded topic, in turns: all once, then all again."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from redis import Redis

from bench.aggregator_process import ProcessCounters, ProcessReading, cpu_seconds, running_aggregator
from bench.servers import PARTITIONS, Servers
from bench.task import Task, TaskOutcome, run_child
from bench.topic import preload
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

BENCH_PYTHON = Path(".venv-bench/bin/python")
POLL_SECONDS = 0.02
TAKE_TIMES = 5  # times the events of contestants that handle single events: `take` is faster, and needs more of them
RAW, BARE, OURS, REFOLD = "getmany", "bare", "aggregator", "refold"
TAKE, FAUST, QUIX = "take", "faust", "quix"
_MODULES = {RAW: "raw", BARE: "bare", TAKE: "faust_take", FAUST: "faust_events", QUIX: "quix_events"}


def median_rate(outcomes: Sequence[TaskOutcome]) -> float:
    """Returns the median of events per second."""
    return median(outcome.rate for outcome in outcomes)


@dataclass(slots=True)
class Contest:
    """Runs contestants over one topic: `events` events, or `slow_events` for those that handle single events."""

    servers: Servers
    events: int
    slow_events: int
    settings: KafkaSettings = field(init=False)
    distinct: int = 0

    def __post_init__(self) -> None:
        self.settings = KafkaSettings(
            kafka_bootstrap_servers=self.servers.kafka, topic_prefix="contest-", partitions=PARTITIONS
        )

    def run(self, repetitions: int, say: Callable[[str], None]) -> dict[str, list[TaskOutcome]]:
        """Returns the outcomes by contestant. Redis is flushed before every run."""
        say(f"writing {self.events} events")
        self.distinct = preload(self.settings, self.events)
        outcomes: dict[str, list[TaskOutcome]] = {}
        for turn in range(repetitions):
            for name in (RAW, BARE, OURS, TAKE, FAUST, QUIX):
                if name == QUIX and not BENCH_PYTHON.exists():
                    continue
                say(f"{turn + 1}/{repetitions}: {name}")
                with Redis.from_url(self.servers.redis_url) as redis:
                    redis.flushall()
                    for part, outcome in (self._ours(redis) if name == OURS else {name: self._child(name)}).items():
                        outcomes.setdefault(part, []).append(outcome)
        return outcomes

    def _child(self, name: str) -> TaskOutcome:
        slow = {TAKE: TAKE_TIMES * self.slow_events, FAUST: self.slow_events, QUIX: self.slow_events}
        task = Task(
            self.servers.kafka,
            TopicNames(self.settings.topic_prefix).usage,
            PARTITIONS,
            min(self.events, slow.get(name, self.events)),
            self.servers.redis_url,
            f"{name}:",
        )
        python = BENCH_PYTHON if name == QUIX else sys.executable
        return TaskOutcome.parse(run_child(f"bench.contestants.{_MODULES[name]}", task, python))

    def _ours(self, redis: Redis) -> dict[str, TaskOutcome]:
        """Measures the first fold of the topic, then the whole fold again after a flush of Redis."""
        counters = ProcessCounters(redis, PARTITIONS)
        with running_aggregator(self.servers, self.settings) as process:

            def fold() -> TaskOutcome:
                since: tuple[ProcessReading, float] | None = None
                for reading in counters.watch(POLL_SECONDS, self.events):
                    if since is None and reading.total:
                        since = reading, cpu_seconds(process)
                if since is None:
                    raise RuntimeError("everything was counted between two looks: give it more events")
                self._check(reading)
                first, cpu = since
                return TaskOutcome(reading.total - first.total, reading.at - first.at, cpu_seconds(process) - cpu)

            first = fold()
            counters.wait_ready()
            redis.flushall()
            return {OURS: first, REFOLD: fold()}

    def _check(self, reading: ProcessReading) -> None:
        if (reading.total, reading.counted) != (self.events, self.distinct):
            raise RuntimeError(f"{self.distinct} of {self.events} had to be counted: {reading}")
