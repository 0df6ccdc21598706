"""Quix Streams, as in its guides: a pipeline of functions over single events, with calls to Redis for every event.

Runs in the benchmarks' own virtualenv.
"""

import logging
import os
import time
from uuid import uuid4

from quixstreams import Application
from redis import Redis

from bench.contestants.idiomatic import increment_of
from bench.task import Stopwatch, told


def main() -> None:
    """Counts the task's events; the process ends with the task."""
    task, watch = told(), Stopwatch()
    redis = Redis.from_url(task.redis_url)
    app = Application(
        broker_address=task.bootstrap,
        consumer_group=f"bench-{uuid4().hex}",
        auto_offset_reset="earliest",
        loglevel=logging.ERROR,
        state_dir=".local/bench/quix",
    )

    def count(value: bytes) -> None:
        watch.start()
        one = increment_of(task.redis_prefix, value, time.time_ns() // 1_000_000)
        if one and redis.sadd(one.seen_key, one.member):
            redis.hincrby(one.hash_key, str(one.field), one.quantity)
        if watch.add(1) == task.events:
            watch.answer()
            os._exit(0)

    app.dataframe(app.topic(task.topic, value_deserializer="bytes")).update(count)
    app.run()


if __name__ == "__main__":
    main()
