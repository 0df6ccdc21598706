"""What must be true of Stripe before anything is sent."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stripe

from metering.outcome import Ambiguous, RetryLater, StopWorker
from metering.push_log import StripeIdentity
from runtime.clock import Clock, SystemClock
from runtime.settings import GIVE_UP_SECONDS
from stripe_sync.errors import StripeStoppedError
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.stripe_api.meters import list_meters, meter_faults
from stripe_sync.stripe_api.outcomes import FAILURES, outcome_of

log = logging.getLogger(__name__)

T = TypeVar("T")
CLOCK = SystemClock()
FIRST_DELAY_SECONDS = 1.0
LAST_DELAY_SECONDS = 10.0


async def stripe_identity(
    client: stripe.StripeClient, settings: StripeSyncSettings, clock: Clock = CLOCK
) -> StripeIdentity:
    """Whom this worker's rows are for.

    Raises:
        StripeStoppedError: there is no key, or Stripe does not accept it, or it may not read its account and none is
            set; or Stripe does not answer.
    """
    if not settings.stripe_api_key.get_secret_value():
        raise StripeStoppedError("BILLING_STRIPE_API_KEY is not set")
    account = settings.stripe_account
    if not account:
        try:
            account = (await answered(client.v1.accounts.retrieve_current_async, settings.give_up_seconds, clock)).id
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise StripeStoppedError(
                f"Stripe does not tell whose key this is ({error.http_status}): check BILLING_STRIPE_API_KEY; for a "
                "restricted key that may not read its account, set BILLING_STRIPE_ACCOUNT to it (acct_...)"
            ) from error
    return StripeIdentity(namespace=settings.namespace, account=account, livemode=settings.stripe_livemode)


async def checked_meters(
    client: stripe.StripeClient, give_up_seconds: float = GIVE_UP_SECONDS, clock: Clock = CLOCK
) -> dict[str, str]:
    """The ids of the catalogue's meters by name.

    Raises:
        StripeStoppedError: a meter is missing or would bill something else than what is counted, or the key may not
            see meters; or Stripe does not answer.
    """
    try:
        found = await answered(lambda: list_meters(client), give_up_seconds, clock)
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise StripeStoppedError(
            f"Stripe does not show its meters ({error.http_status}): check BILLING_STRIPE_API_KEY; a restricted key "
            "must be allowed to read meters and to write meter events"
        ) from error
    faults = meter_faults(found)
    if faults:
        raise StripeStoppedError("Stripe's meters are not as they must be: " + "; ".join(faults))
    return {name: meter.id for name, meter in found.items()}


async def answered(ask: Callable[[], Awaitable[T]], give_up_seconds: float, clock: Clock) -> T:
    """The answer to a question, which is asked again while Stripe can't be reached or is busy.

    Raises:
        stripe.AuthenticationError, stripe.PermissionError: the key is refused.
        StripeStoppedError: there is no answer for `give_up_seconds`, or none that is Stripe's.
    """
    began, delay = clock.monotonic(), FIRST_DELAY_SECONDS
    while True:
        try:
            return await ask()
        except (stripe.AuthenticationError, stripe.PermissionError):
            raise
        except FAILURES as error:
            why = _why_to_wait(error)
        if clock.monotonic() - began >= give_up_seconds:
            raise StripeStoppedError(
                f"Stripe has not answered for {give_up_seconds:g} s: check the network and BILLING_STRIPE_API_BASE; "
                f"the last attempt: {why}"
            )
        log.warning("Stripe does not answer, asking again in %.0f s: %s", delay, why)
        await clock.sleep(delay)
        delay = min(2 * delay, LAST_DELAY_SECONDS)


def _why_to_wait(error: Exception) -> str:
    outcome = outcome_of(error)
    match outcome:
        case RetryLater(reason) | Ambiguous(reason):
            return reason
        case StopWorker(reason):
            raise StripeStoppedError(reason) from error
        case _:
            raise StripeStoppedError(f"Stripe refuses a question at the start: {outcome}") from error
