"""The choice of Stripe for a stack."""

import pytest

from local.stack.errors import StackError
from local.stack.stripe_choice import BASE, KEY, StripeChoice, choose_stripe
from runtime.settings import DOUBLE_API_KEY, STRIPE_API_BASE

OWN_DOUBLE = StripeChoice(None, DOUBLE_API_KEY)


@pytest.mark.parametrize(
    ("environ", "choice"),
    [
        ({}, OWN_DOUBLE),
        ({KEY: DOUBLE_API_KEY}, OWN_DOUBLE),
        ({BASE: "http://127.0.0.1:1"}, StripeChoice("http://127.0.0.1:1", DOUBLE_API_KEY)),
        ({BASE: "http://localhost:1"}, StripeChoice("http://localhost:1", DOUBLE_API_KEY)),
        ({BASE: "http://[::1]:1"}, StripeChoice("http://[::1]:1", DOUBLE_API_KEY)),
        ({BASE: "http://127.0.0.1:1", KEY: "rk_test_x"}, StripeChoice("http://127.0.0.1:1", "rk_test_x")),
        ({KEY: "sk_test_x"}, StripeChoice(STRIPE_API_BASE, "sk_test_x")),
    ],
)
def test_the_environment_decides(environ: dict[str, str], choice: StripeChoice) -> None:
    """A base, a key or both name a Stripe; neither means the double."""
    assert choose_stripe(environ) == choice


@pytest.mark.parametrize(
    "environ",
    [
        {KEY: "sk_live_x"},
        {BASE: "http://127.0.0.1:1", KEY: "rk_live_x"},
        {KEY: "whatever"},
        {BASE: "https://stripe.example"},
    ],
)
def test_only_test_mode_is_allowed(environ: dict[str, str]) -> None:
    """A key that is not of the test mode, or none for a far Stripe, is refused with what to set."""
    with pytest.raises(StackError, match="test-mode key"):
        choose_stripe(environ)
