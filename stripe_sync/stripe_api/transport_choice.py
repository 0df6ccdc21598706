"""Which transport the settings ask for, and whether Stripe lets this key use it."""

import stripe

from runtime.clock import Clock
from runtime.settings import STRIPE_API_BASE, StripeSettings
from stripe_sync.errors import StripeStoppedError
from stripe_sync.stripe_api.client import SingleTransport
from stripe_sync.stripe_api.stream import StreamTransport


async def chosen_transport(
    settings: StripeSettings, client: stripe.StripeClient, clock: Clock
) -> SingleTransport | StreamTransport:
    """The transport that rows are sent by.

    Raises:
        StripeStoppedError: Stripe does not open its stream to this key.
    """
    if settings.stripe_transport == "single":
        return SingleTransport(client)
    if settings.stripe_api_base == STRIPE_API_BASE and not settings.stripe_livemode:
        raise StripeStoppedError(
            "Stripe's meter event stream takes live keys only, and this is a test key: set "
            "BILLING_STRIPE_TRANSPORT=single, or BILLING_STRIPE_API_KEY to a live key (sk_live_..., rk_live_...)"
        )
    transport = StreamTransport(client, clock)
    await transport.check()
    return transport
