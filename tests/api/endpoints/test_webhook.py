"""POST /webhooks/stripe: reports of meter errors become hints for the worker; other events have no effect."""

import json
import time
from typing import Any

import httpx
import pytest
from stripe import WebhookSignature

from api.endpoints.webhook import MAX_BODY_BYTES, WEBHOOK
from api.settings import ApiSettings
from ledger.hints import take_hints
from local.servers.ports import free_port
from tests.api.calling import assert_problem, calling, settings_of
from tests.api.folded import PARTITIONS, Folded

SECRET, OTHER = "whsec_test", "whsec_other"
METER = {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"}


def event(kind: Any, **more: Any) -> str:
    """A thin event."""
    fixed = {"id": "evt_1", "object": "v2.core.event", "created": "2026-06-20T12:00:00.000Z", "livemode": True}
    return json.dumps({**fixed, "type": kind, **more})


ERRORS = event("v1.billing.meter.error_report_triggered", related_object=METER)


@pytest.fixture
def configured(settings: ApiSettings) -> ApiSettings:
    """The API with a secret."""
    return settings_of(settings.redis_url, settings.redis_prefix, stripe_webhook_secret=SECRET)


async def deliver(api: httpx.AsyncClient, body: str | bytes, *, age: int = 0, secret: str = SECRET) -> httpx.Response:
    """Sends an event as Stripe does, signed some seconds ago."""
    text = body if isinstance(body, str) else body.decode(errors="replace")
    signature = WebhookSignature.generate_signature_header(text, secret, int(time.time()) - age)
    return await api.post(WEBHOOK, content=body, headers={"Stripe-Signature": signature})


async def hints(folded: Folded) -> list[frozenset[str]]:
    """The hints that the workers of all shards find."""
    return [await take_hints(folded.ledger.shard(number)) for number in range(PARTITIONS)]


async def test_a_report_names_its_meter_to_every_shard(configured: ApiSettings, folded: Folded) -> None:
    """Given a report, delivered twice as Stripe may, each shard has one hint."""
    async with calling(configured) as api:
        answers = [await deliver(api, ERRORS) for _ in range(2)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    assert await hints(folded) == [{"mtr_1"}] * PARTITIONS
    assert await hints(folded) == [frozenset()] * PARTITIONS


async def test_a_report_without_a_meter_is_of_all(configured: ApiSettings, folded: Folded) -> None:
    """Given events without a known meter, the hint is for all meters."""
    async with calling(configured) as api:
        assert (await deliver(api, event("v1.billing.meter.no_meter_found"))).status_code == 204
    assert await hints(folded) == [{"*"}] * PARTITIONS


@pytest.mark.parametrize(
    "body",
    [
        event(
            "v2.core.event_destination.ping", related_object={"id": "ed_1", "type": "event_destination", "url": "/x"}
        ),
        json.dumps({"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": {}}}),
        json.dumps({"object": "v2.core.event"}),
        event(["v1.billing.meter.no_meter_found"]),
        event("v1.billing.meter.error_report_triggered", related_object={"type": "billing.meter", "url": "/x"}),
        event("v1.billing.meter.error_report_triggered", related_object="mtr_1"),
        "[]",
        "null",
        "no json",
    ],
)
async def test_other_events_are_acknowledged(configured: ApiSettings, folded: Folded, body: str) -> None:
    """Given any other event signed by Stripe, it is acknowledged, and no worker gets a hint."""
    async with calling(configured) as api:
        assert (await deliver(api, body)).status_code == 204
    assert await hints(folded) == [frozenset()] * PARTITIONS


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "nonsense"},
        {"Stripe-Signature": "t=1,v1=00"},
        {"Stripe-Signature": "t=,v1=00"},
        {"Stripe-Signature": "t=" + "9" * 5000 + ",v1=00"},
        {"Stripe-Signature": f"t={int(time.time())},v1=\xe9".encode("latin-1")},
    ],
)
async def test_an_unsigned_event(configured: ApiSettings, folded: Folded, headers: dict[str, str | bytes]) -> None:
    """Given no signature, or none that fits, nothing happens."""
    async with calling(configured) as api:
        assert_problem(await api.post(WEBHOOK, content=ERRORS, headers=headers), 400, "invalid_signature")
    assert await hints(folded) == [frozenset()] * PARTITIONS


async def test_a_forged_or_replayed_event(configured: ApiSettings, folded: Folded) -> None:
    """Given another secret, an old signature or bytes that are no text, nothing happens."""
    async with calling(configured) as api:
        assert_problem(await deliver(api, ERRORS, secret=OTHER), 400, "invalid_signature")
        assert_problem(await deliver(api, ERRORS, age=301), 400, "invalid_signature")
        assert_problem(await deliver(api, b"\xff\xfe"), 400, "invalid_signature")
        assert (await deliver(api, ERRORS, age=240)).status_code == 204


async def test_an_event_that_is_nested_too_deep(configured: ApiSettings, folded: Folded) -> None:
    """Given a signed body that no parser follows to its end, the sender is told; unsigned it is not even looked at."""
    deep = "[" * 60_000
    async with calling(configured) as api:
        assert_problem(await deliver(api, deep), 400, "invalid_body")
        assert_problem(await deliver(api, deep, secret=OTHER), 400, "invalid_signature")
    assert await hints(folded) == [frozenset()] * PARTITIONS


async def test_a_huge_event(configured: ApiSettings, folded: Folded) -> None:
    """Given more bytes than any thin event has, the rest is not read."""
    async with calling(configured) as api:
        assert_problem(await deliver(api, "x" * (MAX_BODY_BYTES + 1)), 413, "body_too_large")


async def test_without_a_secret_nothing_is_believed(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given no secret, Stripe is told to try again later, and the operator sees it there."""
    assert_problem(await deliver(api, ERRORS), 503, "webhook_not_configured")


async def test_a_redis_that_is_away(redis_prefix: str) -> None:
    """Given no Redis, Stripe is told to try again later."""
    away = settings_of(f"redis://127.0.0.1:{free_port()}/0", redis_prefix, stripe_webhook_secret=SECRET)
    async with calling(away) as api:
        assert_problem(await deliver(api, ERRORS), 503, "store_unavailable")
