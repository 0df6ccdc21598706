"""Idiomatic Faust: an agent that handles single events, with calls to Redis for every event."""

import os
import time

import faust
from redis.asyncio import Redis

from bench.contestants.faust_app import run, stock_app
from bench.contestants.idiomatic import increment_of
from bench.task import Stopwatch, Task, told


def create_app(task: Task) -> faust.App:
    """An app with one agent; the process ends with the task."""
    app, topic = stock_app(task)
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
    run(create_app(told()))
