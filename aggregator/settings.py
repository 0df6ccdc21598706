"""The aggregator's settings."""

from runtime.settings import CopySettings, KafkaSettings, MonitorSettings, ProcessSettings


class AggregatorSettings(KafkaSettings, CopySettings, ProcessSettings, MonitorSettings):
    """Everything the aggregator is told from outside."""
