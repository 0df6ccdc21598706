"""The reference: aiokafka's `getmany`, doing nothing with the records."""

import asyncio

from bench.contestants.reading import start_consumer
from bench.task import Stopwatch, told


async def main() -> None:
    """Reads the task's events."""
    task, watch = told(), Stopwatch()
    consumer = await start_consumer(task)
    done = 0
    while done < task.events:
        batches = await consumer.getmany(timeout_ms=1000)
        watch.start()
        done = watch.add(sum(map(len, batches.values())))
    watch.answer()
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main())
