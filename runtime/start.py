"""What a process stands on when it starts: waited for while it is away, refused where it is wrong."""

import asyncio

from runtime.kafka_reaching import check_kafka
from runtime.redis import check_redis
from runtime.retrying import persistently
from runtime.settings import CopySettings, KafkaSettings, PatienceSettings
from runtime.topics import TopicFound, verify_topics


class WorkerSettings(KafkaSettings, CopySettings, PatienceSettings):
    """What every worker is told of the servers that it works between."""


def checked_servers(settings: WorkerSettings) -> list[TopicFound]:
    """Returns the topics as they are, once Kafka and Redis have answered.

    Raises:
        TopicMismatchError, RedisUnsafeError: a server or its topics are not as the platform counts on.
        Exception: one has been away for `give_up_seconds`, or does not take how it was talked to.
    """

    async def check() -> list[TopicFound]:
        found = await persistently(topics, settings.give_up_seconds)
        await persistently(redis, settings.give_up_seconds)
        return found

    async def topics() -> list[TopicFound]:
        await check_kafka(settings)
        return await asyncio.to_thread(verify_topics, settings)

    async def redis() -> None:
        await check_redis(settings)

    return asyncio.run(check())
