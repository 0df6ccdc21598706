"""What a stack makes at Stripe before anything is sent there: the meters, and the demo's customers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import stripe

from local.stack.errors import StackError
from runtime.settings import StripeSettings
from stripe_sync.meters import create_missing, list_meters, meter_faults
from stripe_sync.stripe_client import make_client

T = TypeVar("T")


def set_up_meters(settings: StripeSettings) -> list[str]:
    """Creates the meters that are missing and gives their names.

    Raises:
        StackError: a meter would bill something else than what is counted, or Stripe does not let us.
    """

    async def work(client: stripe.StripeClient) -> list[str]:
        created = await create_missing(client)
        faults = meter_faults(await list_meters(client))
        if faults:
            raise StackError("Stripe's meters are not as they must be:\n  " + "\n  ".join(faults))
        return created

    return _with_client(settings, work)


def make_customers(settings: StripeSettings, accounts: Iterable[str], namespace: str) -> Mapping[str, str]:
    """Makes a customer for each account and gives their ids; the same ones again within a day of a crash.

    Raises:
        StackError: Stripe does not let us.
    """

    async def work(client: stripe.StripeClient) -> Mapping[str, str]:
        customers = {}
        for account in accounts:
            customer = await client.v1.customers.create_async(
                {"name": f"Demo {account}", "metadata": {"account": account}},
                {"idempotency_key": f"{namespace}:customer:{account}"},
            )
            customers[account] = customer.id
        return customers

    return _with_client(settings, work)


def _with_client(settings: StripeSettings, work: Callable[[stripe.StripeClient], Awaitable[T]]) -> T:
    async def run() -> T:
        return await work(make_client(settings))

    try:
        return asyncio.run(run())
    except stripe.StripeError as error:
        raise StackError(f"Stripe at {settings.stripe_api_base} refuses: {error.user_message or error}") from error
