"""`billing stripe`: what Stripe must have before anything is billed there."""

import asyncio
import os

import typer

from local.stack.settings import settings_of
from metering.meters import CATALOGUE
from ops.errors import OpsError
from ops.stack_env import STRIPE_KEY, StackDir, find_env
from runtime.settings import StripeSettings
from stripe_sync.meters import create_missing, list_meters, meter_faults
from stripe_sync.stripe_client import make_client

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def stripe() -> None:
    """Prepare Stripe."""


@app.command("setup")
def set_up(directory: StackDir = None) -> None:
    """Create the meters that Stripe does not have, and check them all; exit code 1 if one is not as it must be."""
    settings = settings_of(StripeSettings, find_env(directory, os.environ, STRIPE_KEY, "BILLING_STRIPE_API_BASE"))
    if not settings.stripe_api_key.get_secret_value():
        raise OpsError(f"{STRIPE_KEY} is not set: set it to a secret or restricted key of your Stripe account")
    created, faults = asyncio.run(_set_up(settings))
    for meter in CATALOGUE:
        typer.echo(f"{meter.name}: {'created' if meter.name in created else 'was there'}")
    if faults:
        raise OpsError("Stripe's meters are not as they must be:\n  " + "\n  ".join(faults))


async def _set_up(settings: StripeSettings) -> tuple[list[str], list[str]]:
    client = make_client(settings)
    created = await create_missing(client)
    return created, meter_faults(await list_meters(client))
