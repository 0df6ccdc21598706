"""What must be true of Stripe before anything is sent."""

import logging

import stripe

from metering.push_log import StripeIdentity
from stripe_sync.errors import StripeStoppedError
from stripe_sync.meters import list_meters, meter_faults
from stripe_sync.settings import StripeSyncSettings

log = logging.getLogger(__name__)


async def stripe_identity(client: stripe.StripeClient, settings: StripeSyncSettings) -> StripeIdentity:
    """Whom this worker's rows are for.

    Raises:
        StripeStoppedError: there is no key, or Stripe does not accept it, or it may not read its account and none is
            set.
    """
    if not settings.stripe_api_key.get_secret_value():
        raise StripeStoppedError("BILLING_STRIPE_API_KEY is not set")
    account = settings.stripe_account
    if not account:
        try:
            account = (await client.v1.accounts.retrieve_current_async()).id
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise StripeStoppedError(
                f"Stripe does not tell whose key this is ({error.http_status}): check BILLING_STRIPE_API_KEY; for a "
                "restricted key that may not read its account, set BILLING_STRIPE_ACCOUNT to it (acct_...)"
            ) from error
    return StripeIdentity(namespace=settings.namespace, account=account, livemode=settings.stripe_livemode)


async def checked_meters(client: stripe.StripeClient) -> dict[str, str]:
    """The ids of the catalogue's meters by name.

    Raises:
        StripeStoppedError: a meter is missing or would bill something else than what is counted, or the key may not
            see meters.
    """
    try:
        found = await list_meters(client)
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise StripeStoppedError(
            f"Stripe does not show its meters ({error.http_status}): check BILLING_STRIPE_API_KEY; a restricted key "
            "must be allowed to read meters and to write meter events"
        ) from error
    faults = meter_faults(found)
    if faults:
        raise StripeStoppedError("Stripe's meters are not as they must be:\n  " + "\n  ".join(faults))
    return {name: meter.id for name, meter in found.items()}
