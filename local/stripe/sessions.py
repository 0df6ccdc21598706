"""Meter event sessions: POST /v2/billing/meter_event_session. A token opens the stream for 15 minutes.

Stripe documents the stream only for live mode, and not how it refuses a test key. So the words and the code of this
refusal are chosen here.
"""

from datetime import UTC, datetime

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError
from local.stripe.parameters import NoParams
from local.stripe.store import StripeStore
from local.stripe.timestamps import rfc3339

LIFETIME_SECONDS = 15 * 60
"""Source: Stripe's reference, "Authentication tokens are only valid for 15 minutes"."""

_KEPT_SECONDS = 24 * 3600


def create(call: Call, _: NoParams) -> Json:
    """Returns a new token; forgets the tokens that expired more than a day ago."""
    if not (call.livemode or call.settings.stream_in_test_mode):
        message = "Meter event streams are only available in live mode."
        raise StripeError(message, type=None, code="livemode_required")
    token = f"mes_{'live' if call.livemode else 'test'}_{call.token(48)}"
    expires = call.time + LIFETIME_SECONDS
    sql = call.store.connection
    sql.execute("DELETE FROM sessions WHERE expires < ?", (call.time - _KEPT_SECONDS,))
    sql.execute("INSERT INTO sessions (token, livemode, expires) VALUES (?, ?, ?)", (token, call.livemode, expires))
    return {
        "id": call.new_id("mes"),
        "object": "v2.billing.meter_event_session",
        "authentication_token": token,
        "created": rfc3339(datetime.fromtimestamp(call.time, UTC)),
        "expires_at": rfc3339(datetime.fromtimestamp(expires, UTC)),
        "livemode": call.livemode,
    }


def livemode_of_session(store: StripeStore, token: str, now: float) -> bool:
    """Returns whether a token's session is a live one.

    Raises:
        StripeError: 401 if no session has the token, or if it has expired.
    """
    query = "SELECT livemode, expires FROM sessions WHERE token = ?"
    row = store.connection.execute(query, (token,)).fetchone()
    if row is None:
        raise StripeError("Invalid meter event session token provided.", status=401, type=None, code="unauthorized")
    if now >= row[1]:
        raise expired()
    return bool(row[0])


def expired() -> StripeError:
    """Returns the error for a token whose 15 minutes are over."""
    error = StripeError(
        "The temporary session token has expired. Create a new meter event session.",
        status=401,
        type="temporary_session_expired",
        code="billing_meter_event_session_expired",
    )
    error.doc_url = "https://docs.stripe.com/error-codes/billing-meter-event-session-expired"
    return error


ENDPOINTS = (Endpoint("POST", "/v2/billing/meter_event_session", NoParams, create),)
