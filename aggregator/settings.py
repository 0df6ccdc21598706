"""The aggregator's settings."""

from runtime.settings import KafkaSettings, ProcessSettings, RedisSettings


class AggregatorSettings(KafkaSettings, RedisSettings, ProcessSettings):
    """Everything the aggregator is told from outside."""
