"""The aggregator's settings."""

from runtime.settings import MonitorSettings, ProcessSettings
from runtime.start import WorkerSettings


class AggregatorSettings(WorkerSettings, ProcessSettings, MonitorSettings):
    """Everything the aggregator is told from outside."""
