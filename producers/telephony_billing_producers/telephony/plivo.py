"""Plivo: callbacks of messages and calls, and their signature (V3).

Sources: plivo.com/docs/messaging/api/messages (message states: `sent` is with the carrier, `failed` and `rejected`
never were, `undelivered` failed after that); plivo.com/docs/voice/concepts/callbacks (the hang-up callback);
plivo.com/docs/voice/concepts/signature-validation (the signature).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from .usage import SignatureError, Usage, moment, present, whole

SENT = frozenset({"sent", "delivered", "undelivered", "read"})
"""States of an outgoing message that count: the carrier has had it."""

Form = Mapping[str, str]
"""The callback's form fields."""


def check_signature(auth_token: str, url: str, form: Form, signature: str, nonce: str) -> None:
    """Checks `X-Plivo-Signature-V3` and `X-Plivo-Signature-V3-Nonce` of a POST.

    Args:
        auth_token: the account's auth token.
        url: what Plivo was told to call, with its query.
        form: all fields of the form.
        signature: the first header; it may hold several, separated by commas.
        nonce: the second header.

    Raises:
        SignatureError: none of them is Plivo's.
    """
    parts = urlsplit(url)
    query = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True)))
    text = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if query or form:
        text += f"?{query}"
    if query and form:
        text += "."
    text += "".join(name + form[name] for name in sorted(form)) + "." + nonce
    expected = base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha256).digest())
    if not any(hmac.compare_digest(expected, each.strip().encode()) for each in signature.split(",")):
        raise SignatureError("X-Plivo-Signature-V3 does not fit: check the auth token, and the URL as Plivo calls it")


def message(form: Form) -> tuple[Usage, ...]:
    """The usage of a message's callback: its state, or an incoming message; nothing for a state that doesn't count.

    The parts of a long message are reported one by one, and are one message: the one that its first part names.

    Raises:
        InvalidEventError: it is no such callback.
    """
    uuid = present(form.get("ParentMessageUUID") or form.get("MessageUUID"), "MessageUUID")
    segments = whole(form.get("Units"), "Units") or None
    status = form.get("Status", "")
    if not status and "Text" in form:
        return (Usage(meter="sms.receive", id=uuid, number=present(form.get("To"), "To"), segments=segments),)
    if status not in SENT:
        return ()
    return (Usage(meter="sms.send", id=uuid, number=present(form.get("From"), "From"), segments=segments),)


def call(form: Form) -> tuple[Usage, ...]:
    """The usage of a call's hang-up callback: counts when it is `completed` and lasted.

    Raises:
        InvalidEventError: it is no such callback.
    """
    uuid = present(form.get("CallUUID"), "CallUUID")
    duration = whole(form.get("Duration"), "Duration")
    if form.get("CallStatus") != "completed" or not duration:
        return ()
    inbound = present(form.get("Direction"), "Direction") == "inbound"
    return (
        Usage(
            meter="voice.inbound" if inbound else "voice.outbound",
            id=uuid,
            number=present(form.get("To" if inbound else "From"), "To and From"),
            time=moment(form.get("AnswerTime"), "AnswerTime"),
            duration=duration,
        ),
    )
