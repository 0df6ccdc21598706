"""Twilio: status callbacks of messages and calls, incoming messages, and their signature.

Sources: twilio.com/docs/messaging/api/message-resource (message status values: `sent` is accepted by the carrier,
`undelivered` failed after that, `failed` never left Twilio); twilio.com/docs/voice/api/call-resource (call status
values); twilio.com/docs/usage/webhooks/webhooks-security (the signature).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

from ..errors import InvalidEventError
from .usage import SignatureError, Usage, present, whole

SENT = frozenset({"sent", "delivered", "undelivered", "read"})
"""Statuses of an outgoing message that count: the carrier has it. One that was never sent is not billed."""

RECEIVED = frozenset({"received", "receiving"})

Form = Mapping[str, str]
"""The callback's form fields."""


def check_signature(auth_token: str, url: str, form: Form, signature: str, *, body: bytes | None = None) -> None:
    """Checks `X-Twilio-Signature`.

    Args:
        auth_token: the account's auth token.
        url: exactly what Twilio was told to call, with scheme, host and query; behind a proxy that is not what your
            framework shows.
        form: all fields of the form; none for a JSON body.
        signature: the header.
        body: the raw body where it is JSON: the URL then has its digest in `bodySHA256`.

    Raises:
        SignatureError: it is not Twilio's.
    """
    text = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()  # Twilio's choice
    if not hmac.compare_digest(base64.b64encode(digest), signature.encode()):
        raise SignatureError("X-Twilio-Signature does not fit: check the auth token, and the URL as Twilio calls it")
    if body is not None:
        (told,) = parse_qs(urlsplit(url).query).get("bodySHA256", [""])
        if not hmac.compare_digest(hashlib.sha256(body).hexdigest(), told.lower()):
            raise SignatureError("the body is not the one that Twilio has signed (bodySHA256)")


def message(form: Form) -> tuple[Usage, ...]:
    """The usage of a message's status callback, or of an incoming message; nothing for a status that doesn't count.

    Raises:
        InvalidEventError: it is no such callback.
    """
    status = form.get("MessageStatus") or form.get("SmsStatus", "")
    sid = present(form.get("MessageSid") or form.get("SmsSid"), "MessageSid")
    segments = whole(form.get("NumSegments"), "NumSegments") or None  # 0 while a Messaging Service has no sender yet
    if status in RECEIVED:
        return (Usage(meter="sms.receive", id=sid, number=present(form.get("To"), "To"), segments=segments),)
    if status in SENT:
        return (Usage(meter="sms.send", id=sid, number=present(form.get("From"), "From"), segments=segments),)
    return ()


def call(form: Form) -> tuple[Usage, ...]:
    """The usage of a call's status callback: counts once it is `completed` and lasted.

    `busy`, `no-answer`, `failed` and `canceled` were not answered, and all other statuses are not final.

    Raises:
        InvalidEventError: it is no such callback.
    """
    sid = present(form.get("CallSid"), "CallSid")
    duration = whole(form.get("CallDuration"), "CallDuration")
    if form.get("CallStatus") != "completed" or not duration:
        return ()
    inbound = present(form.get("Direction"), "Direction").startswith("inbound")
    return (
        Usage(
            meter="voice.inbound" if inbound else "voice.outbound",
            id=sid,
            number=present(form.get("To" if inbound else "From"), "To and From"),
            time=_time(form.get("Timestamp")),
            duration=duration,
        ),
    )


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        raise InvalidEventError(f"Timestamp {text!r} is no time of RFC 2822") from None
