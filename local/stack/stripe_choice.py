"""Chooses the Stripe for a stack: its own double, or one that the environment names, in test mode only."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from local.stack.errors import StackError
from runtime.settings import DOUBLE_API_KEY, STRIPE_API_BASE

BASE = "BILLING_STRIPE_API_BASE"
KEY = "BILLING_STRIPE_API_KEY"


@dataclass(frozen=True, slots=True)
class StripeChoice:
    """The address and the key of Stripe; `base` None: the stack's own double."""

    base: str | None
    api_key: str


def choose_stripe(environ: Mapping[str, str]) -> StripeChoice:
    """Chooses by the environment.

    Raises:
        StackError: the environment names Stripe without a test-mode key. A stack makes meters, customers and traffic,
            so it must not use live mode.
    """
    base, key = environ.get(BASE, ""), environ.get(KEY, "")
    if not base and key in {"", DOUBLE_API_KEY}:
        return StripeChoice(None, DOUBLE_API_KEY)
    base = base or STRIPE_API_BASE
    if not key and _is_loopback(base):
        key = DOUBLE_API_KEY
    if not key:
        raise StackError(f"{BASE} is {base}, and {KEY} is not set: set it to a test-mode key (sk_test_...)")
    if "_test_" not in key[:8]:
        raise StackError(
            f"{KEY} is not a test-mode key (sk_test_... or rk_test_...), and `billing up` makes meters, customers "
            "and traffic: use a test-mode key here, and start the services by themselves for live mode"
        )
    return StripeChoice(base, key)


def _is_loopback(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
