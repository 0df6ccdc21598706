"""The settings of commands that change the tables: accounts and API keys."""

from runtime.settings import KafkaSettings, RedisSettings


class TableSettings(KafkaSettings, RedisSettings):
    """The addresses of the tables' logs in Kafka, and of their folded state in Redis."""
