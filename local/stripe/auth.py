"""Checks API keys by their shape only, as this double has no list of keys."""

import re

from local.stripe.errors import StripeError

_KEY = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9_]+")
_BEARER = "bearer "

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)


def bearer_of(authorization: str) -> str:
    """Returns the key or token in an Authorization header.

    Raises:
        StripeError: 401 if there is none.
    """
    if authorization[: len(_BEARER)].lower() != _BEARER:
        raise StripeError(NO_KEY, status=401, code=None)
    return authorization[len(_BEARER) :].strip()


def livemode_of(key: str) -> bool:
    """Returns whether an API key is a live one.

    Raises:
        StripeError: 401 if the key does not begin with sk_test_, rk_test_, sk_live_ or rk_live_.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise StripeError(f"Invalid API Key provided: {_redacted(key)}", status=401)
    return match[1] == "live"


def _redacted(key: str) -> str:
    return key[:8] + "*" * max(0, len(key) - 12) + key[max(8, len(key) - 4) :]
