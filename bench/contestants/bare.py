"""The full job without Faust: `getmany`, then the aggregator's own fold, one partition's batch after another."""

import asyncio

from aiokafka import TopicPartition

from aggregator.folds.usage import UsageFold, UsageTopics
from aggregator.publisher import SilentPublisher
from bench.contestants.reading import start_consumer
from bench.task import Stopwatch, Task, told
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from metering.counting import Interval
from runtime.garbage import collect_seldom
from runtime.redis import connect
from runtime.settings import RedisSettings


async def main() -> None:
    """Counts the task's events."""
    collect_seldom()  # as the aggregator does
    task, watch = told(), Stopwatch()
    folds, consumer = await _open_folds(task), await start_consumer(task)
    starts = dict.fromkeys(folds, 0)
    done = 0
    while done < task.events:
        batches = await consumer.getmany(timeout_ms=1000)
        watch.start()
        for place, records in batches.items():
            end = records[-1].offset + 1
            answer = await folds[place].apply(Interval(starts[place], end, records))
            if not answer.applied:
                raise RuntimeError(f"{place} at {starts[place]}: {answer}")
            starts[place] = end
            done = watch.add(len(records))
    watch.answer()
    await consumer.stop()


async def _open_folds(task: Task) -> dict[TopicPartition, UsageFold]:
    store = RedisStore(connect(RedisSettings(redis_url=task.redis_url)))
    ledger = Ledger(store, task.redis_prefix, task.partitions)
    folds = {}
    for number in range(task.partitions):
        fold = UsageFold(
            ledger.shard(number), UsageTopics(task.topic, ""), task.partitions, SilentPublisher(), lambda: "bench"
        )
        await fold.open(0)
        folds[TopicPartition(task.topic, number)] = fold
    return folds


if __name__ == "__main__":
    asyncio.run(main())
