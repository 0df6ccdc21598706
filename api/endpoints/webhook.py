"""`POST /webhooks/stripe`: Stripe reports meter events that it rejected later; the Stripe worker gets a hint."""

import asyncio
import logging
from typing import Annotated, Any

import stripe
from fastapi import APIRouter, Depends
from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.http.describing import NOBODY, Tag
from api.http.problems import ProblemCode, ProblemError, describe
from api.http.request_body import read_body
from ledger.hints import ALL_METERS, leave_hint
from ledger.shard import Ledger

WEBHOOK = "/webhooks/stripe"
MAX_BODY_BYTES = 64 * 1024  # bytes: a thin event has less than one kilobyte
REPLAY_SECONDS = 300  # seconds: the highest age of a signature, Stripe's own default
METER_ERRORS = frozenset({"v1.billing.meter.error_report_triggered", "v1.billing.meter.no_meter_found"})

log = logging.getLogger(__name__)


class StripeEvents:
    """Verifies the signatures of Stripe's thin events, and reads the events."""

    def __init__(self, secret: SecretStr) -> None:
        """`secret` is that of Stripe's event destination (`whsec_...`); empty: no event can be verified."""
        self._secret = secret
        self._client = stripe.StripeClient("sk_none")  # events are parsed here; nothing is ever sent

    def hint_of(self, body: bytes, signature: str | None) -> str | None:
        """Returns the meter whose errors an event reports, or `ALL_METERS`; None for an event about something else.

        Raises:
            ProblemError: `webhook_not_configured`, `invalid_signature` or `invalid_body`.
        """
        secret = self._secret.get_secret_value()
        if not secret:
            raise ProblemError(ProblemCode.WEBHOOK_NOT_CONFIGURED)
        if signature is not None and not signature.isascii():
            raise ProblemError(ProblemCode.INVALID_SIGNATURE)  # Stripe's library can compare ASCII only
        try:
            return _hint_of(self._client.parse_event_notification(body, signature, secret, REPLAY_SECONDS))
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise ProblemError(ProblemCode.INVALID_SIGNATURE) from error
        except RecursionError as error:
            raise ProblemError(ProblemCode.INVALID_BODY, "The body is nested too deep.") from error
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            log.warning("Stripe signed an event that is not a thin one (%s): ignored", type(error).__name__)
            return None


def _hint_of(event: stripe.v2.core.EventNotification) -> str | None:
    if event.type not in METER_ERRORS:
        return None
    related = getattr(event, "related_object", None)
    return str(related.id) if related is not None else ALL_METERS


def webhook_routes(ledger: Ledger, events: StripeEvents) -> APIRouter:
    """Returns the endpoint. It is idempotent, as Stripe delivers events at least once."""
    router = APIRouter(tags=[Tag.PLATFORM])

    @router.post(WEBHOOK, operation_id="stripeEvent", status_code=204, responses=_RESPONSES, openapi_extra=_REQUEST)
    async def stripe_event(body: Annotated[bytes, Depends(_body)], request: Request) -> Response:
        """Takes an event from Stripe. Reports of meter errors make the worker compare sooner; others are ignored."""
        hint = events.hint_of(body, request.headers.get("stripe-signature"))
        if hint is not None:
            log.warning("Stripe reports errors of meter events: %s", "all meters" if hint == ALL_METERS else hint)
            await asyncio.gather(*(leave_hint(ledger.shard(number), hint) for number in range(ledger.partitions)))
        return Response(status_code=204)

    return router


async def _body(request: Request) -> bytes:
    try:
        return await read_body(request, MAX_BODY_BYTES)
    except ClientDisconnect as error:
        raise ProblemError(ProblemCode.VALIDATION_ERROR, "The body is not complete.") from error


_REQUEST = {
    **NOBODY,
    "parameters": [{"name": "Stripe-Signature", "in": "header", "schema": {"type": "string"}}],
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {
                    "id": "evt_1",
                    "object": "v2.core.event",
                    "type": "v1.billing.meter.error_report_triggered",
                    "created": "2026-06-20T12:00:00.000Z",
                    "livemode": True,
                    "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"},
                },
            }
        }
    },
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    204: {"description": "Taken, or ignored"},
    **describe(
        ProblemCode.INVALID_SIGNATURE,
        ProblemCode.INVALID_BODY,
        ProblemCode.VALIDATION_ERROR,
        ProblemCode.BODY_TOO_LARGE,
        ProblemCode.WEBHOOK_NOT_CONFIGURED,
        ProblemCode.STORE_UNAVAILABLE,
    ),
}
