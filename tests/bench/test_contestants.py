"""The contestants on real servers, at a tiny size: they count the events of their task."""

import subprocess
import sys

import pytest
from redis import Redis

from bench.aggregator_process import ProcessCounters
from bench.task import Task, TaskOutcome
from bench.topic import preload
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

EVENTS, PARTITIONS = 600, 3


@pytest.fixture
def task(kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str) -> tuple[Task, int]:
    """A topic with a small load, and how many of its events are distinct."""
    settings = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=PARTITIONS)
    distinct = preload(settings, EVENTS)
    topic = TopicNames(topic_prefix).usage
    return Task(kafka_bootstrap, topic, PARTITIONS, EVENTS, redis_url, redis_prefix), distinct


def test_the_contestants_count(task: tuple[Task, int]) -> None:
    """All read everything; the bare consumer's counts are exact, and Faust's are in Redis."""
    told, distinct = task

    outcomes = [_run(name, told) for name in ("raw", "bare", "faust_events")]

    assert [outcome.events for outcome in outcomes] == [EVENTS] * 3
    assert all(outcome.seconds > 0 for outcome in outcomes)
    with Redis.from_url(told.redis_url) as redis:
        reading = ProcessCounters(redis, PARTITIONS, told.redis_prefix).now()
        assert (reading.total, reading.counted, reading.duplicate) == (EVENTS, distinct, EVENTS - distinct)
        seen = redis.scan_iter(f"{told.redis_prefix}seen:*", count=1000)
        assert sum(int(redis.scard(name)) for name in seen) == distinct


def _run(name: str, task: Task) -> TaskOutcome:
    command = [sys.executable, "-m", f"bench.contestants.{name}", task.text()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return TaskOutcome.parse(ran.stdout)
