"""The aggregator's settings."""

from pydantic import Field

from metering.outage import STOP_RATIO
from runtime.settings import CopySettings, KafkaSettings, MonitorSettings, ProcessSettings


class AggregatorSettings(KafkaSettings, CopySettings, ProcessSettings, MonitorSettings):
    """Everything the aggregator is told from outside."""

    reject_stop_ratio: float = Field(
        default=STOP_RATIO, gt=0, le=1, description="share of rejects that is an outage; 1: never"
    )
