"""The settings of the reference services, from the environment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..settings import EmitterSettings

SECRETS = {
    "twilio": "TWILIO_AUTH_TOKEN",
    "telnyx": "TELNYX_PUBLIC_KEY",
    "plivo": "PLIVO_AUTH_TOKEN",
    "vonage": "VONAGE_SIGNATURE_SECRET",
}
"""Carrier → the variable with the secret that verifies its callbacks. A carrier without a secret has no endpoint."""


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The emitter's settings, the accounts of phone numbers, and the carriers' secrets.

    Attributes:
        emitter: see `EmitterSettings`.
        accounts: accounts by phone number (E.164).
        public_url: the scheme and host that carriers call; signatures cover it.
        secrets: secrets by carrier.
    """

    emitter: EmitterSettings
    accounts: Mapping[str, str]
    public_url: str
    secrets: Mapping[str, str] = field(default_factory=dict)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Reads USAGE_KAFKA, USAGE_SPOOL, USAGE_ACCOUNTS (a JSON file, number to account), PUBLIC_URL and the secrets.

    Raises:
        SettingsError: one of the first four is missing, or no secret is set, or the file can't be read.
    """
    needed = ("USAGE_KAFKA", "USAGE_SPOOL", "USAGE_ACCOUNTS", "PUBLIC_URL")
    missing = [name for name in needed if not environment.get(name)]
    if missing:
        raise SettingsError(f"set {', '.join(missing)}")
    secrets = {carrier: environment[name] for carrier, name in SECRETS.items() if environment.get(name)}
    if not secrets:
        raise SettingsError(f"set the secret of one carrier at least: {', '.join(SECRETS.values())}")
    return Settings(
        emitter=EmitterSettings(
            bootstrap_servers=environment["USAGE_KAFKA"],
            spool_directory=Path(environment["USAGE_SPOOL"]),
            topic_prefix=environment.get("USAGE_TOPIC_PREFIX", ""),
        ),
        accounts=_accounts(Path(environment["USAGE_ACCOUNTS"])),
        public_url=environment["PUBLIC_URL"].rstrip("/"),
        secrets=secrets,
    )


def e164(number: str) -> str:
    """Returns a number with its plus sign, as in the accounts' file; Vonage leaves it out."""
    return number if number.startswith("+") else f"+{number}"


def _accounts(file: Path) -> Mapping[str, str]:
    try:
        accounts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"USAGE_ACCOUNTS: {error}") from error
    if not isinstance(accounts, dict) or not all(isinstance(each, str) for each in accounts.values()):
        raise SettingsError('USAGE_ACCOUNTS: the file must be an object such as {"+12065550100": "acct_1"}')
    return {e164(number): account for number, account in accounts.items()}
