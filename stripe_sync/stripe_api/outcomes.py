"""What an answer of Stripe means for a row: one pure function, measured with stripe-python 16.

The table behind it: an identifier that Stripe knows already is delivery; 409 and 429 were not applied; whatever
leaves open if Stripe took the row is ambiguous and is sent again, the same bytes; a row whose meter is absent waits for
it; what Stripe will never take is parked; a key that Stripe does not accept, or an address that isn't Stripe's, stops
the worker.
"""

import math
import re

import stripe

from metering.outcome import Ambiguous, Delivered, NoMeter, Outcome, Park, ParkReason, RetryLater, StopWorker

FAILURES = (stripe.StripeError, ValueError, AttributeError, TypeError)
"""What stripe-python raises: its own errors, and others for answers that it can't make sense of."""

_DUPLICATE_CODE = "duplicate_meter_event"
_DUPLICATE_MESSAGE = re.compile(r"already exists with identifier")  # v1 has no code for it
_METER_CODES = {"archived_meter", "no_meter"}
_PARK_CODES = {
    "payload_invalid_value": ParkReason.INVALID_VALUE,
    "payload_no_value_defined": ParkReason.INVALID_VALUE,
    "meter_event_value_too_many_digits": ParkReason.INVALID_VALUE,
    "payload_no_customer_defined": ParkReason.UNKNOWN_CUSTOMER,
    "resource_missing": ParkReason.UNKNOWN_CUSTOMER,
    "meter_event_customer_not_found": ParkReason.UNKNOWN_CUSTOMER,
}
_KNOWN_CODES = _METER_CODES | _PARK_CODES.keys()
_DETAIL_CHARACTERS = 200


def outcome_of(error: Exception) -> Outcome:
    """The fate of a row whose call raised `error`."""
    if isinstance(error, stripe.AuthenticationError) and not isinstance(error, stripe.TemporarySessionExpiredError):
        return StopWorker(f"Stripe refuses the API key: {_detail(error)}")
    if isinstance(error, stripe.PermissionError):
        return StopWorker(f"the API key lacks a permission: {_detail(error)}")
    if isinstance(error, stripe.TemporarySessionExpiredError | stripe.IdempotencyError):
        return RetryLater(type(error).__name__)
    if isinstance(error, stripe.StripeError) and error.http_status in {409, 429}:
        return RetryLater(_limit(error), _retry_after(error))
    if isinstance(error, stripe.StripeError) and error.http_status == 404 and _code(error) not in _KNOWN_CODES:
        return StopWorker(
            "what answers does not know Stripe's endpoints (404): check BILLING_STRIPE_API_BASE and "
            f"BILLING_STRIPE_METER_EVENTS_BASE: {_detail(error)}"
        )
    if isinstance(error, stripe.InvalidRequestError):
        return _refusal(error)
    return Ambiguous(f"{type(error).__name__}: {_detail(error)}")


def _refusal(error: stripe.InvalidRequestError) -> Outcome:
    code = _code(error)
    if code == _DUPLICATE_CODE or (error.http_status == 400 and _DUPLICATE_MESSAGE.search(str(error))):
        return Delivered()
    if code in _METER_CODES:
        return NoMeter(f"{code}: {_detail(error)}")
    return Park(_PARK_CODES.get(code or "", ParkReason.REFUSED), f"{code or 'no code'}: {_detail(error)}")


def _code(error: stripe.StripeError) -> str | None:
    """`e.code` is None for 409, 429 and 401, where `e.error.code` is set; `e.error` can be None."""
    code = error.code or getattr(getattr(error, "error", None), "code", None)
    return code if isinstance(code, str) else None


def _limit(error: stripe.StripeError) -> str:
    """What limits calls: Stripe names the limit of a 429 in a header."""
    reason = _headers(error).get("stripe-rate-limited-reason")
    return ", ".join(filter(None, (_code(error) or f"HTTP {error.http_status}", reason)))


def _headers(error: stripe.StripeError) -> dict[str, str]:
    return {name.lower(): value for name, value in dict(error.headers or {}).items()}


def _retry_after(error: stripe.StripeError) -> float | None:
    try:
        seconds = float(_headers(error)["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _detail(error: Exception) -> str:
    return " ".join(str(error).split())[:_DETAIL_CHARACTERS]
