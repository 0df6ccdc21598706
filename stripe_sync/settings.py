"""The Stripe worker's settings."""

from typing import Annotated

from pydantic import Field, model_validator

from metering.alarms import Distances
from metering.billing_time import CUTOFF_MARGIN_SECONDS, OLDEST_SECONDS
from metering.span import DAY_SECONDS
from runtime.settings import (
    STRIPE_API_BASE,
    MonitorSettings,
    ProcessSettings,
    StripeSettings,
)
from runtime.start import WorkerSettings

PUSH_INTERVAL_SECONDS = 300.0
WATCHED_PUSH_INTERVAL_SECONDS = 5.0


class StripeSyncSettings(WorkerSettings, StripeSettings, ProcessSettings, MonitorSettings):
    """Everything the Stripe worker is told from outside."""

    namespace: Annotated[
        str, Field(min_length=1, description="part of every identifier: one per installation, never changed")
    ]
    push_interval_seconds: Annotated[float, Field(gt=0, description="how long a bucket may grow between rows")] = (
        PUSH_INTERVAL_SECONDS
    )
    finalization_grace_seconds: Annotated[
        int,
        Field(
            ge=CUTOFF_MARGIN_SECONDS,
            le=72 * 3600,
            description="Stripe's setting: how long after a period its invoice is final",
        ),
    ] = 3600
    alarm_cutoff_seconds: Annotated[
        float, Field(gt=0, description="alarm for units still due so long before their cut-off")
    ] = 3600.0
    alarm_age_days: Annotated[float, Field(gt=0, le=34, description="alarm for units due for so long")] = 30.0
    alarm_in_flight_seconds: Annotated[float, Field(gt=0, description="alarm for rows on their way for so long")] = (
        43_200.0
    )
    units_per_hour_alarm: Annotated[
        int, Field(ge=0, description="alarm for more units of one account, meter and hour; 0: none")
    ] = 0
    alarm_skew_seconds: Annotated[float, Field(gt=0, description="alarm for clocks that differ by so much")] = 60.0

    @model_validator(mode="after")
    def _interval_follows(self) -> "StripeSyncSettings":
        """Who tries it out, with a stand-in for Stripe, watches; a real account's rows need not be many."""
        if "push_interval_seconds" not in self.model_fields_set and self.stripe_api_base != STRIPE_API_BASE:
            self.push_interval_seconds = WATCHED_PUSH_INTERVAL_SECONDS
        return self

    @property
    def alarm_distances(self) -> Distances:
        """The same, as the alarms want it."""
        return Distances(
            cutoff=self.alarm_cutoff_seconds,
            too_old=OLDEST_SECONDS - self.alarm_age_days * DAY_SECONDS,
            in_flight=self.alarm_in_flight_seconds,
            skew=self.alarm_skew_seconds,
        )
