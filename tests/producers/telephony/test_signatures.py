"""Whether a report is the carrier's: its own published vectors where there are any, and that nothing else passes."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from telephony_billing_producers.telephony import SignatureError, plivo, telnyx, twilio, vonage

# twilio.com/docs/usage/webhooks/webhooks-security: the page's own example.
TWILIO_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
TWILIO_FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
NOW = 1_800_000_000.0
BODY = b'{"data": {}}'


def test_twilios_own_example_passes() -> None:
    """Its token is 12345."""
    twilio.check_signature("12345", TWILIO_URL, TWILIO_FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


@pytest.mark.parametrize(
    ("token", "url", "form"),
    [
        ("12346", TWILIO_URL, TWILIO_FORM),
        ("12345", TWILIO_URL + "&x=1", TWILIO_FORM),
        ("12345", TWILIO_URL, TWILIO_FORM | {"Digits": "1235"}),
        ("12345", TWILIO_URL, {}),
    ],
)
def test_what_twilio_did_not_sign_is_refused(token: str, url: str, form: dict[str, str]) -> None:
    """Another token, URL or field."""
    with pytest.raises(SignatureError, match="auth token"):
        twilio.check_signature(token, url, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


def test_a_json_body_is_signed_by_its_digest() -> None:
    """Which stands in the URL."""
    url = f"https://sms.example/twilio?bodySHA256={hashlib.sha256(BODY).hexdigest()}"
    signature = base64.b64encode(hmac.new(b"t", url.encode(), hashlib.sha1).digest()).decode()

    twilio.check_signature("t", url, {}, signature, body=BODY)
    with pytest.raises(SignatureError, match="bodySHA256"):
        twilio.check_signature("t", url, {}, signature, body=BODY + b" ")


@pytest.mark.parametrize(
    ("url", "form", "signed"),
    [
        ("https://sms.example/plivo", {"To": "2", "From": "1"}, "https://sms.example/plivo?From1To2.n1"),
        ("https://sms.example/plivo?b=2&a=1", {"To": "2"}, "https://sms.example/plivo?a=1&b=2.To2.n1"),
        ("https://sms.example/plivo?b=2&a=1", {}, "https://sms.example/plivo?a=1&b=2.n1"),
        ("https://sms.example/plivo", {}, "https://sms.example/plivo.n1"),
    ],
)
def test_plivo_signs_url_fields_and_nonce(url: str, form: dict[str, str], signed: str) -> None:
    """One of several signatures is enough; while a token is changed there are two."""
    right = base64.b64encode(hmac.new(b"token", signed.encode(), hashlib.sha256).digest()).decode()

    plivo.check_signature("token", url, form, f"AAAA,{right}", "n1")
    for token, other, nonce in (("other", form, "n1"), ("token", form | {"Text": "x"}, "n1"), ("token", form, "n2")):
        with pytest.raises(SignatureError, match="auth token"):
            plivo.check_signature(token, url, other, right, nonce)


def test_telnyx_signs_time_and_body() -> None:
    """With Ed25519."""
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    signature = base64.b64encode(key.sign(b"1800000000|" + BODY)).decode()

    telnyx.check_signature(public, BODY, signature, "1800000000", now=NOW + 299)
    for body, sign, time, now in (
        (BODY + b" ", signature, "1800000000", NOW),
        (BODY, signature, "1800000001", NOW),
        (BODY, signature, "1800000000", NOW + 301),
        (BODY, "AAAA", "1800000000", NOW),
        (BODY, "no base64!", "1800000000", NOW),
        (BODY, "", "", NOW),
    ):
        with pytest.raises(SignatureError, match="telnyx"):
            telnyx.check_signature(public, body, sign, time, now=now)


def token(secret: str, claims: dict[str, Any], alg: str = "HS256") -> str:
    """A signed webhook's header."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    signed = part(json.dumps({"alg": alg, "typ": "JWT"}).encode()) + "." + part(json.dumps(claims).encode())
    return f"Bearer {signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def test_vonage_signs_a_token_with_the_bodys_digest() -> None:
    """Made lately, with HS256 and no other algorithm."""
    claims = {"iat": int(NOW), "payload_hash": hashlib.sha256(BODY).hexdigest()}

    vonage.check_signature("secret", token("secret", claims), BODY, now=NOW + 299)
    for header, body, now in (
        (token("other", claims), BODY, NOW),
        (token("secret", claims, alg="none"), BODY, NOW),
        (token("secret", claims), BODY + b" ", NOW),
        (token("secret", claims), BODY, NOW + 301),
        (token("secret", {"payload_hash": claims["payload_hash"]}), BODY, NOW),
        (token("secret", {"iat": int(NOW)}), BODY, NOW),
        ("", BODY, NOW),
        ("Bearer a.b.c", BODY, NOW),
        ("Bearer ünicode.ü.ü", BODY, NOW),
    ):
        with pytest.raises(SignatureError):
            vonage.check_signature("secret", header, body, now=now)
