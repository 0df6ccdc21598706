"""How the double behaves: what a person or Stripe itself would have set. Changed while it runs, and kept."""

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
        stream_in_test_mode: whether test keys may open stream sessions, which Stripe refuses them.
        stream_events_per_second: what the stream takes. Source: Stripe's rate limits, 10,000 in live mode.
        calls_per_second: meter event calls, both versions together; None is no limit (Stripe: 1,000, sandboxes 25).
        report_window: seconds of refused stream events that one error report tells of.
        portal_configured: whether the customer portal has a default configuration.
        webhook_url: where error reports are sent; None is nowhere.
        webhook_secret: what their signatures are made with.
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
        """These settings with some of them changed.

        Raises:
            pydantic.ValidationError: an unknown name or a value out of bounds.
        """
        return Settings.model_validate(self.model_dump() | changes)


def load(store: StripeStore) -> Settings:
    """The settings as they were kept, else the defaults."""
    kept = store.fact(_FACT)
    return Settings() if kept is None else Settings.model_validate_json(kept)


def keep(store: StripeStore, settings: Settings) -> None:
    """Keep them for the next start."""
    store.remember(_FACT, settings.model_dump_json())
