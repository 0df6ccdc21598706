"""Reads a carrier's HTTP request: checks its signature, then returns its usage."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ..errors import InvalidEventError
from ..telephony import Usage, plivo, telnyx, twilio, vonage


class Webhook(NamedTuple):
    """A request: the URL that the carrier called, the headers in lower case, the raw body; `now` in Unix seconds."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    now: float

    def form(self) -> dict[str, str]:
        """The body's form fields."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    def json(self) -> dict[str, Any]:
        """The body's object of JSON.

        Raises:
            InvalidEventError: it holds none.
        """
        try:
            parsed = json.loads(self.body)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise InvalidEventError("the body is no object of JSON")
        return parsed

    def header(self, name: str) -> str:
        """A header's text; empty where there is none."""
        return self.headers.get(name, "")


Read = Callable[[Webhook, str], tuple[Usage, ...]]
"""Returns the usage of a webhook that is signed with the secret; raises SignatureError or InvalidEventError."""


def _twilio(read: Callable[[Mapping[str, str]], tuple[Usage, ...]]) -> Read:
    def usage_of(webhook: Webhook, secret: str) -> tuple[Usage, ...]:
        form = webhook.form()
        twilio.check_signature(secret, webhook.url, form, webhook.header("x-twilio-signature"))
        return read(form)

    return usage_of


def _plivo(read: Callable[[Mapping[str, str]], tuple[Usage, ...]]) -> Read:
    def usage_of(webhook: Webhook, secret: str) -> tuple[Usage, ...]:
        form = webhook.form()
        signature, nonce = (webhook.header(f"x-plivo-signature-v3{part}") for part in ("", "-nonce"))
        plivo.check_signature(secret, webhook.url, form, signature, nonce)
        return read(form)

    return usage_of


def _telnyx(webhook: Webhook, secret: str) -> tuple[Usage, ...]:
    signature, timestamp = webhook.header("telnyx-signature-ed25519"), webhook.header("telnyx-timestamp")
    telnyx.check_signature(secret, webhook.body, signature, timestamp, now=webhook.now)
    return telnyx.event(webhook.json())


def _vonage(read: Callable[[Mapping[str, Any]], tuple[Usage, ...]]) -> Read:
    def usage_of(webhook: Webhook, secret: str) -> tuple[Usage, ...]:
        vonage.check_signature(secret, webhook.header("authorization"), webhook.body, now=webhook.now)
        return read(webhook.json())

    return usage_of


SMS: Mapping[str, Read] = {
    "twilio": _twilio(twilio.message),
    "telnyx": _telnyx,
    "plivo": _plivo(plivo.message),
    "vonage": _vonage(vonage.message),
}
VOICE: Mapping[str, Read] = {
    "twilio": _twilio(twilio.call),
    "telnyx": _telnyx,
    "plivo": _plivo(plivo.call),
    "vonage": _vonage(vonage.call),
}
KINDS: Mapping[str, Mapping[str, Read]] = {"sms": SMS, "voice": VOICE}
