"""What `docker-compose.yml` passes on to each service: every setting that it reads, and no secret that it does not."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aggregator.settings import AggregatorSettings
from api.settings import ApiSettings
from runtime.settings import KafkaSettings, Settings, StripeSettings
from stripe_sync.settings import StripeSyncSettings

ROOT = Path(__file__).parents[2]
BY_COMMAND = {"BILLING_PROCESS_NAME"}  # of one container: its command makes it
SECRETS = {"BILLING_STRIPE_API_KEY", "BILLING_STRIPE_WEBHOOK_SECRET"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The composed services."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def variables(*kinds: type[Settings]) -> set[str]:
    """The variables that settings are read from."""
    return {f"BILLING_{name.upper()}" for kind in kinds for name in kind.model_fields}


@pytest.mark.parametrize(
    ("service", "kinds"),
    [
        ("setup", (KafkaSettings, StripeSettings)),
        ("aggregator", (AggregatorSettings,)),
        ("stripe-sync", (StripeSyncSettings,)),
        ("api", (ApiSettings, KafkaSettings)),
    ],
)
def test_a_service_is_told_what_it_reads(
    services: dict[str, Any], service: str, kinds: tuple[type[Settings], ...]
) -> None:
    """Every one of its settings, and of the others at most its installation's name."""
    told, read = set(services[service]["environment"]), variables(*kinds)
    assert read - told - BY_COMMAND == set()
    assert told - read <= {"BILLING_NAMESPACE"}


def test_no_service_has_a_secret_that_it_does_not_read(services: dict[str, Any]) -> None:
    """Stripe's keys are where Stripe is called."""
    holders = {name for name, service in services.items() if SECRETS & set(service.get("environment") or ())}
    assert holders == {"setup", "stripe-sync", "api"}


def test_every_documented_setting_is_a_setting_of_some_service() -> None:
    """docs/settings.md names what there is, and nothing else."""
    documented = _documented((ROOT / "docs" / "settings.md").read_text())
    existing = variables(AggregatorSettings, ApiSettings, StripeSyncSettings)
    assert documented == existing


def _documented(text: str) -> set[str]:
    """Of the table's first column, where a name may be cut short after a full one: `BILLING_KAFKA_X`, `_Y`."""
    found: set[str] = set()
    for cell in re.findall(r"^\| (`BILLING_.*?) \|", text, re.MULTILINE):
        full, *rest = re.findall(r"`(\w+)`", cell)
        found.add(full)
        for name in rest:
            found |= {name} if name.startswith("BILLING_") else {_completed(full, name)}
    return found


def _completed(full: str, name: str) -> str:
    """`BILLING_KAFKA_SASL_MECHANISM` and `_SASL_USERNAME` make `BILLING_KAFKA_SASL_USERNAME`."""
    return full[: full.index("_" + name.split("_")[1] + "_")] + name
