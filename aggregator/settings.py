"""The aggregator's settings."""

from pydantic import Field

from aggregator.retrying import GIVE_UP_SECONDS
from metering.outage import STOP_RATIO
from runtime.settings import CopySettings, KafkaSettings, MonitorSettings, ProcessSettings


class AggregatorSettings(KafkaSettings, CopySettings, ProcessSettings, MonitorSettings):
    """Everything the aggregator is told from outside."""

    reject_stop_ratio: float = Field(
        default=STOP_RATIO, gt=0, le=1, description="share of rejects that is an outage; 1: never"
    )
    give_up_seconds: float = Field(
        default=GIVE_UP_SECONDS, gt=0, description="of Redis or Kafka failing; then the process ends"
    )
