"""Idiomatic Faust: an agent that goes over single events and asks Redis about each."""

import os
import sys
import time
from uuid import uuid4

import faust
from redis.asyncio import Redis

from bench.contestants.idiomatic import increment_of
from bench.task import Stopwatch, Task, told


class DisklessApp(faust.App):
    """A stock app, but for a place for tables on the disk: there are none."""

    def _create_directories(self) -> None:
        pass


def create_app(task: Task) -> faust.App:
    """An app with one agent; the process ends with the task."""
    app = DisklessApp(
        f"bench-{uuid4().hex}",
        broker=f"kafka://{task.bootstrap}",
        value_serializer="raw",
        topic_disable_leader=True,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic(task.topic, value_type=bytes, value_serializer="raw", key_serializer="raw")
    watch = Stopwatch()

    @app.agent(topic)
    async def count(stream: faust.StreamT[bytes]) -> None:
        redis = Redis.from_url(task.redis_url)
        async for value in stream:
            watch.start()
            one = increment_of(task.redis_prefix, value, time.time_ns() // 1_000_000)
            if one and await redis.sadd(one.seen_key, one.member):
                await redis.hincrby(one.hash_key, str(one.field), one.quantity)
            if watch.add(1) == task.events:
                watch.answer()
                os._exit(0)

    return app


if __name__ == "__main__":
    app = create_app(told())
    sys.argv[1:] = []
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()
