"""The reference services: a carrier's own request in, one event out, and an answer that the carrier understands."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from fastapi.testclient import TestClient

from local.servers.ports import free_port
from telephony_billing_producers import EmitterSettings, SpoolFullError
from telephony_billing_producers.reference.app import create_app
from telephony_billing_producers.reference.settings import Settings, SettingsError, from_environment
from telephony_billing_producers.testing import FakeAsyncEmitter
from tests.producers.conftest import UsageTopic
from tests.producers.telephony.test_signatures import token
from tests.support.eventually import eventually

URL = "https://usage.example"
US, THEM = "+12065550100", "+442071838750"
SECRET = "of-twilio"  # noqa: S105 - a test's
DELIVERED = {"MessageSid": "SM1", "MessageStatus": "delivered", "From": US, "To": THEM}
CALL = {"CallSid": "C1", "CallStatus": "completed", "CallDuration": "5", "Direction": "inbound", "From": THEM, "To": US}


def signature(path: str, form: dict[str, str]) -> dict[str, str]:
    """Twilio's header."""
    text = URL + path + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()
    return {"X-Twilio-Signature": base64.b64encode(digest).decode()}


@pytest.fixture
def emitter() -> FakeAsyncEmitter:
    """The emitter of the services."""
    return FakeAsyncEmitter()


def client(kind: str, emitter: FakeAsyncEmitter, tmp_path: Path) -> TestClient:
    """A service, served."""
    settings = Settings(
        emitter=EmitterSettings(bootstrap_servers="", spool_directory=tmp_path),
        accounts={US: "acct_1"},
        public_url=URL,
        secrets={"twilio": SECRET, "vonage": "of-vonage"},
    )
    return TestClient(create_app(kind, settings, opening=lambda: emitter))


@pytest.fixture
def sms(emitter: FakeAsyncEmitter, tmp_path: Path) -> Iterator[TestClient]:
    """The SMS service."""
    with client("sms", emitter, tmp_path) as served:
        yield served


def test_a_delivered_message_is_one_event(sms: TestClient, emitter: FakeAsyncEmitter) -> None:
    """However often the carrier reports it."""
    for status in ("queued", "sent", "delivered", "delivered"):
        form = DELIVERED | {"MessageStatus": status}
        answer = sms.post("/twilio?x=1", data=form, headers=signature("/twilio?x=1", form))
        assert (answer.status_code, answer.content) == (204, b"")

    assert emitter.total("acct_1", "sms.send") == 1
    assert {(each.source, each.id) for each in emitter.events} == {("/sms/twilio", "SM1")}


def test_a_number_without_a_plus_is_found(sms: TestClient, emitter: FakeAsyncEmitter) -> None:
    """As Vonage writes it."""
    webhook = {"message_uuid": "M1", "channel": "sms", "from": THEM[1:], "to": US[1:]}
    body = json.dumps(webhook).encode()
    header = token("of-vonage", {"iat": int(time.time()), "payload_hash": hashlib.sha256(body).hexdigest()})

    answer = sms.post("/vonage", content=body, headers={"Authorization": header})

    assert answer.status_code == 204
    assert emitter.total("acct_1", "sms.receive") == 1


def test_an_answered_call_is_one_event(emitter: FakeAsyncEmitter, tmp_path: Path) -> None:
    """For the number that was called."""
    with client("voice", emitter, tmp_path) as voice:
        assert voice.post("/twilio", data=CALL, headers=signature("/twilio", CALL)).status_code == 204

    assert [(each.meter, each.account, each.source) for each in emitter.events] == [
        ("voice.inbound", "acct_1", "/voice/twilio")
    ]


def test_what_is_not_taken_is_answered_and_counted(sms: TestClient, emitter: FakeAsyncEmitter) -> None:
    """Nothing is emitted; for errors that may pass, the carrier is asked to send again."""
    unknown = DELIVERED | {"From": THEM}
    nameless = {"MessageStatus": "delivered"}
    refused = [
        sms.post("/twilio", data=DELIVERED),
        sms.post("/twilio", data=nameless, headers=signature("/twilio", nameless)),
        sms.post("/twilio", data=unknown, headers=signature("/twilio", unknown)),
        sms.post("/telnyx", content=b"{}"),
    ]
    assert [answer.status_code for answer in refused] == [403, 422, 503, 404]
    assert THEM in refused[2].json()["detail"]
    assert emitter.events == []

    emitter.failure = SpoolFullError("full")
    full = sms.post("/twilio", data=DELIVERED, headers=signature("/twilio", DELIVERED))
    assert (full.status_code, full.headers["Retry-After"]) == (503, "60")
    metrics = sms.get("/metrics/").text
    for why in ("signature", "invalid", "account", "spool"):
        assert f'usage_webhooks_refused_total{{carrier="twilio",why="{why}"}} 1.0' in metrics


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"USAGE_KAFKA": ""}, "set USAGE_KAFKA"),
        ({"TWILIO_AUTH_TOKEN": ""}, "one carrier at least"),
        ({"USAGE_ACCOUNTS": "/nowhere"}, "USAGE_ACCOUNTS"),
    ],
)
def test_a_setting_that_is_missing_is_named(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    """At the start."""
    with pytest.raises(SettingsError, match=says):
        from_environment(environment(tmp_path, "127.0.0.1:1") | changes)


def environment(tmp_path: Path, kafka: str) -> dict[str, str]:
    """The environment of a service."""
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps({US: "acct_1"}))
    return {
        "USAGE_KAFKA": kafka,
        "USAGE_SPOOL": str(tmp_path / "spool"),
        "USAGE_ACCOUNTS": str(accounts),
        "PUBLIC_URL": URL,
        "TWILIO_AUTH_TOKEN": SECRET,
    }


def test_the_service_runs(usage_topic: UsageTopic, tmp_path: Path) -> None:
    """From its command to a record in Kafka; SIGTERM ends it."""
    port = free_port()
    told = environment(tmp_path, usage_topic.bootstrap) | {"USAGE_TOPIC_PREFIX": usage_topic.prefix}
    line = [sys.executable, "-m", "telephony_billing_producers.reference", "sms", "--port", str(port)]
    with subprocess.Popen(line, env=os.environ | told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as served:
        try:
            request = Request(
                f"http://127.0.0.1:{port}/twilio", urlencode(DELIVERED).encode(), signature("/twilio", DELIVERED)
            )
            assert eventually(lambda: posted(request), 30) == 204
            (record,) = usage_topic.records(1)
            assert json.loads(record.value)["subject"] == "acct_1"
        finally:
            served.terminate()
            served.wait(30)


def posted(request: Request) -> int | None:
    """The status of the answer; None while no process listens."""
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except URLError:
        return None
