"""`billing stripe setup`: the meters."""

import asyncio

from typer.testing import CliRunner, Result

from metering.meters import CATALOGUE
from ops.cli import app
from stripe_sync.stripe_api.meters import list_meters
from tests.stripe_double.served import Served


def set_up(double: Served) -> Result:
    """Runs it."""
    env = {"BILLING_STRIPE_API_KEY": "sk_test_double", "BILLING_STRIPE_API_BASE": double.url}
    return CliRunner(env=env).invoke(app, ["stripe", "setup"])


def test_what_is_missing_is_made_once(double: Served) -> None:
    """A second run makes nothing."""
    first, second = set_up(double), set_up(double)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == "".join(f"{meter.name}: created\n" for meter in CATALOGUE)
    assert second.stdout == first.stdout.replace("created", "was there")


async def test_a_meter_that_is_not_as_it_must_be_is_an_error(double: Served) -> None:
    """An archived meter is not made a second time; the error says what to do."""
    client = double.client()
    client.v1.billing.meters.create(
        {
            "display_name": "SMS",
            "event_name": "sms.send",
            "default_aggregation": {"formula": "count"},
        }
    )
    for meter in (await list_meters(client)).values():
        client.v1.billing.meters.deactivate(meter.id)
    done = await asyncio.to_thread(set_up, double)
    assert done.exit_code == 1
    assert "sms.send: is inactive: reactivate it" in done.stderr
    assert "sms.send: aggregates by count, must be sum" in done.stderr
    assert "voice.ai: created" in done.stdout
