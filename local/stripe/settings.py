"""The double's settings: choices that a person or Stripe makes at the real Stripe. They can change at any time."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from local.stripe.store import StripeStore

_FACT = "settings"

Seconds = Annotated[float, Field(ge=0, le=400 * 86400)]
PerSecond = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """The settings of one double.

    Attributes:
        summary_lag: seconds of the double's clock until an accepted event is in the summaries.
        finalization_grace: seconds from a period's end to its final invoice. Source: Stripe, one hour by default.
        stream_in_test_mode: test keys may open stream sessions; Stripe refuses this.
        stream_events_per_second: the stream's rate limit. Source: Stripe's rate limits, 10,000 in live mode.
        calls_per_second: rate limit of meter event calls, v1 and v2 together; None: no limit (Stripe: 1,000,
            sandboxes 25).
        report_window: seconds of refused stream events that one error report covers.
        portal_configured: the customer portal has a default configuration.
        webhook_url: the receiver of error reports; None: there is none.
        webhook_secret: the secret that signs them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    summary_lag: Seconds = 0
    finalization_grace: Seconds = 3600
    stream_in_test_mode: bool = False
    stream_events_per_second: PerSecond | None = 10_000
    calls_per_second: PerSecond | None = None
    report_window: Annotated[float, Field(gt=0, le=86400)] = 10
    portal_configured: bool = True
    webhook_url: Annotated[str, Field(pattern="^https?://")] | None = None
    webhook_secret: Annotated[str, Field(min_length=1)] = "whsec_double"  # noqa: S105 - protects nothing

    def changed(self, changes: dict[str, Any]) -> "Settings":
        """Returns the settings with some of them changed.

        Raises:
            pydantic.ValidationError: a name is unknown or a value is out of bounds.
        """
        return Settings.model_validate(self.model_dump() | changes)


def load(store: StripeStore) -> Settings:
    """Returns the kept settings, else the defaults."""
    kept = store.fact(_FACT)
    return Settings() if kept is None else Settings.model_validate_json(kept)


def keep(store: StripeStore, settings: Settings) -> None:
    """Keeps the settings for the next start."""
    store.remember(_FACT, settings.model_dump_json())
