"""Rate limits in real time: moving the double's clock does not allow more calls."""

import time
from collections.abc import Callable

from local.stripe.errors import StripeError

_LIMITED = {"Stripe-Rate-Limited-Reason": "endpoint-rate"}


class Rates:
    """The calls or events of the current second, by limit."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._used: dict[str, tuple[int, int]] = {}

    def take(self, name: str, amount: int, limit: int | None, *, v2: bool) -> None:
        """Uses `amount` of the `limit` per second; None: no limit.

        Raises:
            StripeError: 429 if less than `amount` is left in this second.
        """
        if limit is None:
            return
        second = int(self._monotonic())
        since, used = self._used.get(name, (second, 0))
        used = used + amount if since == second else amount
        if used > limit:
            raise rate_limited(v2=v2)
        self._used[name] = second, used


def rate_limited(*, v2: bool, headers: dict[str, str] | None = None) -> StripeError:
    """Returns Stripe's 429: v2 has the type rate_limit; v1 has only the code."""
    message = "Too many requests. Please try again later."
    kind = "rate_limit" if v2 else "invalid_request_error"
    return StripeError(message, status=429, type=kind, code="rate_limit", headers=_LIMITED | (headers or {}))
