"""Vonage: webhooks of the Messages API and the Voice API, and their signature.

Sources: developer.vonage.com/en/messages/concepts/messages-status-callbacks (an SMS is charged when it is `submitted`);
developer.vonage.com/en/voice/voice-api/webhook-reference (the event `completed`);
developer.vonage.com/en/getting-started/concepts/webhooks (signed webhooks: a JWT with the body's digest).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from .usage import SignatureError, Usage, moment, present, whole

SENT = frozenset({"submitted", "delivered"})
"""Statuses of an outgoing SMS that count. `rejected` and `undeliverable` by themselves were never submitted."""

TOLERANCE_SECONDS = 300
"""Seconds: the highest age of a signed webhook."""


def check_signature(secret: str, authorization: str, body: bytes, *, now: float) -> None:
    """Checks the JWT of a signed webhook.

    Args:
        secret: the account's signature secret.
        authorization: the header `Authorization`, which is `Bearer` and the token.
        body: the raw body.
        now: Unix seconds.

    Raises:
        SignatureError: it is not Vonage's, is another body's, or older than five minutes.
    """
    signed, _, signature = authorization.removeprefix("Bearer ").strip().rpartition(".")
    head, _, claims_text = signed.partition(".")
    expected = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    if _object(head).get("alg") != "HS256" or not hmac.compare_digest(expected, _bytes(signature)):
        raise SignatureError("the token is not signed with this secret: check the signature secret in the dashboard")
    claims = _object(claims_text)
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest(), str(claims.get("payload_hash", "")).lower()):
        raise SignatureError("the body is not the one that the token was made for: pass the raw body")
    issued = claims.get("iat")
    if not isinstance(issued, int) or abs(now - issued) > TOLERANCE_SECONDS:
        raise SignatureError(f"the token was not made within {TOLERANCE_SECONDS} s of now")


def message(webhook: Mapping[str, Any]) -> tuple[Usage, ...]:
    """The usage of a webhook of the Messages API: a status, or an incoming message.

    Nothing for a status that doesn't count, and for other channels than SMS.

    Raises:
        InvalidEventError: it is no such webhook.
    """
    uuid = present(webhook.get("message_uuid"), "message_uuid")
    if webhook.get("channel") != "sms":
        return ()
    inbound = "status" not in webhook
    if not inbound and webhook["status"] not in SENT:
        return ()
    details = webhook.get("sms")
    return (
        Usage(
            meter="sms.receive" if inbound else "sms.send",
            id=uuid,
            number=present(webhook.get("to" if inbound else "from"), "to and from"),
            time=moment(webhook.get("timestamp"), "timestamp"),
            segments=whole(details.get("count_total") if isinstance(details, Mapping) else None, "sms.count_total"),
        ),
    )


def call(webhook: Mapping[str, Any]) -> tuple[Usage, ...]:
    """The usage of an event of the Voice API: counts when it is `completed` and lasted.

    Raises:
        InvalidEventError: it is no such webhook.
    """
    uuid = present(webhook.get("uuid"), "uuid")
    duration = whole(webhook.get("duration"), "duration")
    if webhook.get("status") != "completed" or not duration:
        return ()
    inbound = present(webhook.get("direction"), "direction") == "inbound"
    return (
        Usage(
            meter="voice.inbound" if inbound else "voice.outbound",
            id=uuid,
            number=present(webhook.get("to" if inbound else "from"), "to and from"),
            time=moment(webhook.get("start_time"), "start_time"),
            duration=duration,
        ),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(_bytes(text))
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise SignatureError("Authorization holds no JWT: enable signed webhooks")
    return parsed


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise SignatureError("Authorization holds no JWT: enable signed webhooks") from None
