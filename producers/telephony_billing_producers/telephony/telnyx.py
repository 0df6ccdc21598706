"""Telnyx: webhooks of messages and calls (API v2), and their signature.

Sources: developers.telnyx.com/docs/messaging/messages/receiving-webhooks (events and statuses: `sent` is with the
carrier, `sending_failed`, `expired` and `cancelled` never were);
developers.telnyx.com/api-reference/callbacks (the payloads);
developers.telnyx.com/docs/development/api-fundamentals/webhooks (the signature, Ed25519).
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidEventError
from .usage import SignatureError, Usage, moment, present, whole

SENT = frozenset({"sent", "delivered", "delivery_failed", "delivery_unconfirmed"})
"""Statuses of an outgoing message that count: the carrier has had it."""

TOLERANCE_SECONDS = 300
"""Seconds: the highest age of a signed webhook, as in Telnyx's own libraries."""


def check_signature(public_key: str, body: bytes, signature: str, timestamp: str, *, now: float) -> None:
    """Checks `telnyx-signature-ed25519` and `telnyx-timestamp`; needs the extra `telnyx`.

    Args:
        public_key: the account's public key, base64, from the portal.
        body: the raw body.
        signature: the header `telnyx-signature-ed25519`.
        timestamp: the header `telnyx-timestamp`.
        now: Unix seconds.

    Raises:
        SignatureError: it is not Telnyx's, or older than five minutes.
        ImportError: the extra is not installed.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
    try:
        key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + b"|" + body)
    except (InvalidSignature, binascii.Error):
        raise SignatureError(
            "telnyx-signature-ed25519 does not fit: check the public key, and pass the raw body"
        ) from None
    if not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureError(f"telnyx-timestamp {timestamp} is more than {TOLERANCE_SECONDS} s from now")


def event(webhook: Mapping[str, Any]) -> tuple[Usage, ...]:
    """The usage of a webhook; nothing for an event or status that doesn't count, or for an MMS.

    An SMS counts from `message.sent` on (or `message.finalized`, by its receiver's status), or when it is received; a
    call when it is answered.

    Raises:
        InvalidEventError: it is no webhook of API v2.
    """
    data = webhook.get("data")
    payload = data.get("payload") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(payload, Mapping):
        raise InvalidEventError("the webhook has no data.payload: set API version 2 in the portal")
    kind = present(data.get("event_type"), "data.event_type")
    if kind == "call.answered":
        return (_call(data, payload),)
    if kind not in {"message.sent", "message.finalized", "message.received"} or payload.get("type") != "SMS":
        return ()
    receivers = [each for each in payload.get("to") or [] if isinstance(each, Mapping)]
    sent = any(each.get("status") in SENT for each in receivers)
    if kind == "message.finalized" and not sent:
        return ()
    inbound = kind == "message.received"
    side = receivers[0] if inbound and receivers else payload.get("from")
    return (
        Usage(
            meter="sms.receive" if inbound else "sms.send",
            id=present(payload.get("id"), "data.payload.id"),
            number=present(side.get("phone_number") if isinstance(side, Mapping) else None, "phone_number"),
            time=moment(payload.get("received_at" if inbound else "sent_at") or data.get("occurred_at"), "occurred_at"),
            segments=whole(payload.get("parts"), "parts"),
        ),
    )


def _call(data: Mapping[str, Any], payload: Mapping[str, Any]) -> Usage:
    inbound = payload.get("direction") == "incoming"
    return Usage(
        meter="voice.inbound" if inbound else "voice.outbound",
        id=present(payload.get("call_leg_id"), "data.payload.call_leg_id"),
        number=present(payload.get("to" if inbound else "from"), "data.payload.from and to"),
        time=moment(data.get("occurred_at"), "occurred_at"),
    )
