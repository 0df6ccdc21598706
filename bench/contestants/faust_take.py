"""Idiomatic Faust with `take`: an agent that handles many events at once, with pipelined calls to Redis."""

import os
import time
from collections.abc import AsyncIterable

import faust
from redis.asyncio import Redis

from bench.contestants.faust_app import run, stock_app
from bench.contestants.idiomatic import Increment, increment_of
from bench.task import Stopwatch, Task, told

TAKEN, WITHIN_SECONDS = 1000, 0.1


def create_app(task: Task) -> faust.App:
    """An app with one agent; the process ends with the task."""
    app, topic = stock_app(task)
    watch = Stopwatch()

    @app.agent(topic)
    async def count(stream: faust.StreamT[bytes]) -> None:
        redis = Redis.from_url(task.redis_url)
        taken: AsyncIterable[list[bytes]] = stream.take(TAKEN, within=WITHIN_SECONDS)
        async for values in taken:
            watch.start()
            now_ms = time.time_ns() // 1_000_000
            each = (increment_of(task.redis_prefix, value, now_ms) for value in values)
            await _count(redis, [one for one in each if one])
            if watch.add(len(values)) >= task.events:
                watch.answer()
                os._exit(0)

    return app


async def _count(redis: Redis, increments: list[Increment]) -> None:
    """Counts in two round trips: the first finds the new events, the second adds their units."""
    seen = redis.pipeline(transaction=False)
    for one in increments:
        seen.sadd(one.seen_key, one.member)
    added = redis.pipeline(transaction=False)
    for one, is_new in zip(increments, await seen.execute(), strict=True):
        if is_new:
            added.hincrby(one.hash_key, str(one.field), one.quantity)
    await added.execute()


if __name__ == "__main__":
    run(create_app(told()))
