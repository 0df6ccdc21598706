"""How every process connects to Stripe."""

import stripe

from runtime.settings import StripeSettings


def connect(settings: StripeSettings, http: stripe.HTTPClient) -> stripe.StripeClient:
    """An asynchronous client over `http`, with the library's own retries off: what is sent again is decided here."""
    stripe.enable_telemetry = False  # it would write an id into the home folder
    return stripe.StripeClient(
        settings.stripe_api_key.get_secret_value(),
        http_client=http,
        max_network_retries=0,
        base_addresses={"api": settings.stripe_api_base, "meter_events": settings.stripe_meter_events_base},
    )
