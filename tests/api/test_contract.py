"""The description held against the served API: schemathesis makes up requests, valid and invalid, to every endpoint."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.app import create_app
from api.settings import ApiSettings
from metering.account import Account
from tests.api.calling import NOW, settings_of
from tests.api.folded import Folded
from tests.api.serving import serving
from tests.api.stripe_answers import OneAnswer

# No schema can say whether a range of days is kept, which depends on the day of the question. A form is led to a page.
CONFIG = """
max-failures = 5
[generation]
max-examples = 15
database = "none"
deterministic = true
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "422", "303"]
[[operations]]
include-path = "/webhooks/stripe"
# What is not signed is refused, and nobody can sign but Stripe.
checks.positive_data_acceptance.enabled = false
"""


PORTAL_SESSION = b'{"object":"billing_portal.session","url":"https://billing.stripe.com/p/session/x"}'


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing"])
async def test_the_served_api_keeps_to_its_description(
    settings: ApiSettings, folded: Folded, tmp_path: Path, phases: str
) -> None:
    """Given hundreds of requests, no answer is an error of ours, or of a status, type, header or body not described."""
    key = await folded.key("acme")
    await folded.account("acme", Account(customer="cus_1"))
    await folded.use("acme", "sms.send", 5, NOW)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with serving(OneAnswer(200, PORTAL_SESSION)) as stripe:
        api = create_app(unlimited(settings, stripe), now=lambda: NOW)
        with serving(api) as url:
            done = await asyncio.to_thread(run, tmp_path, f"{url}/openapi.json", phases, key)
    assert done.returncode == 0, done.stdout + done.stderr


def unlimited(settings: ApiSettings, stripe: str) -> ApiSettings:
    """The API with everything that can be configured, and without limits."""
    return settings_of(
        settings.redis_url,
        settings.redis_prefix,
        stripe_api_key="sk_test_double",
        stripe_api_base=stripe,
        stripe_webhook_secret=SecretStr("whsec_test"),
        rate_limit=0,
        portal_limit=0,
        sign_in_limit=1_000_000,
    )


def run(directory: Path, description: str, phases: str, key: str) -> subprocess.CompletedProcess[str]:
    """Its command, with every check that it has."""
    argv = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", description),
        *("--phases", phases, "--no-color", "--header", f"Authorization: Bearer {key}"),
    ]
    return subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=100, check=False)
