"""The Stripe worker's settings."""

from typing import Annotated

from pydantic import Field

from metering.billing_time import CUTOFF_MARGIN_SECONDS
from runtime.settings import CopySettings, KafkaSettings, MonitorSettings, ProcessSettings, StripeSettings


class StripeSyncSettings(KafkaSettings, CopySettings, StripeSettings, ProcessSettings, MonitorSettings):
    """Everything the Stripe worker is told from outside."""

    namespace: Annotated[
        str, Field(min_length=1, description="part of every identifier: one per installation, never changed")
    ]
    push_interval_seconds: Annotated[float, Field(gt=0, description="how long a bucket may grow between rows")] = 300.0
    finalization_grace_seconds: Annotated[
        int,
        Field(
            ge=CUTOFF_MARGIN_SECONDS,
            le=72 * 3600,
            description="Stripe's setting: how long after a period its invoice is final",
        ),
    ] = 3600
