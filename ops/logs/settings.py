"""What the commands that change tables are told from outside."""

from runtime.settings import KafkaSettings, RedisSettings


class TableSettings(KafkaSettings, RedisSettings):
    """Where the tables' logs are, and where their fold is."""
