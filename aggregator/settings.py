"""The aggregator's settings."""

from runtime.settings import KafkaSettings, MonitorSettings, ProcessSettings, RedisSettings


class AggregatorSettings(KafkaSettings, RedisSettings, ProcessSettings, MonitorSettings):
    """Everything the aggregator is told from outside."""
