"""What each answer of Stripe means for a row, as stripe-python raises it from a real server's bytes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe
from pydantic import SecretStr

from metering.outcome import Ambiguous, Delivered, NoMeter, Outcome, Park, ParkReason, RetryLater, StopWorker
from metering.rfc3339 import from_unix
from runtime.settings import StripeSettings
from runtime.stripe import connect
from stripe_sync.stripe_api.client import ManyCalls, SingleTransport
from stripe_sync.stripe_api.outcomes import outcome_of
from tests.ledger_push.rows import name_of, row
from tests.stripe_sync.answering import Answer, Behaviour, Hangup, Reset, Silence, answering, refusing_url
from tests.support.eventually import eventually_async

ROW = row(0, 3)
DUPLICATE = "An event already exists with identifier 123."
EVENT = {"object": "v2.billing.meter_event", "identifier": name_of(ROW), "event_name": ROW.meter}
UNRECOGNIZED = "Unrecognized request URL (POST: /v2/billing/meter_events). Please see https://stripe.com/docs"
HTML = {"Content-Type": "text/html"}
DELIVERED, AMBIGUOUS, STOP = Delivered, Ambiguous, StopWorker


def v1(message: str = "no", **more: object) -> dict[str, object]:
    """The body of a v1 refusal."""
    return {"error": {"type": "invalid_request_error", "message": message} | more}


def v2(code: str, **more: object) -> dict[str, object]:
    """The body of a v2 refusal."""
    return {"error": {"code": code, "message": "no"} | more}


def later(reason: str, delay: float | None = None) -> RetryLater:
    """Not taken, come back."""
    return RetryLater(reason, delay)


OPENED: list[ManyCalls] = []


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """What a test has opened is closed after it."""
    yield
    while OPENED:
        await OPENED.pop().close_async()


def client_of(url: str, timeout: float = 5.0) -> stripe.StripeClient:
    """The worker's client, its patience apart."""
    OPENED.append(ManyCalls(timeout))
    return connect(StripeSettings(stripe_api_base=url, stripe_api_key=SecretStr("sk_test_1")), OPENED[-1])


async def v1_call(client: stripe.StripeClient) -> None:
    """One row through the v1 endpoint."""
    await client.v1.billing.meter_events.create_async(
        {
            "event_name": ROW.meter,
            "identifier": name_of(ROW),
            "payload": {"stripe_customer_id": ROW.customer, "value": str(ROW.value)},
            "timestamp": ROW.timestamp,
        }
    )


async def v2_call(client: stripe.StripeClient) -> None:
    """One row through the v2 endpoint, as the worker's own transport sends it."""
    await client.v2.billing.meter_events.create_async(
        {
            "event_name": ROW.meter,
            "identifier": name_of(ROW),
            "payload": {"stripe_customer_id": ROW.customer, "value": str(ROW.value)},
            "timestamp": from_unix(ROW.timestamp),
        }
    )


async def stream_call(client: stripe.StripeClient) -> None:
    """One row through the v2 stream."""
    event: Any = {"event_name": ROW.meter, "payload": {"stripe_customer_id": ROW.customer, "value": "3"}}
    await client.v2.billing.meter_event_stream.create_async({"events": [event]})


RETRY = {"Stripe-Should-Retry": "true"}
TABLE: list[tuple[str, Any, Behaviour, Outcome | type[Outcome]]] = [
    ("v1 400 duplicate identifier", v1_call, Answer(400, v1(DUPLICATE)), DELIVERED),
    (
        "v1 400 resource_missing (customer)",
        v1_call,
        Answer(400, v1("No such customer", code="resource_missing", param="payload")),
        Park(ParkReason.UNKNOWN_CUSTOMER, "resource_missing: No such customer"),
    ),
    ("v1 400 + Stripe-Should-Retry", v1_call, Answer(400, v1(), RETRY), Park(ParkReason.REFUSED, "no code: no")),
    ("v1 401", v1_call, Answer(401, v1()), STOP),
    ("v1 403", v1_call, Answer(403, v1()), STOP),
    (
        "v1 404",
        v1_call,
        Answer(404, v1(code="resource_missing")),
        Park(ParkReason.UNKNOWN_CUSTOMER, "resource_missing: no"),
    ),
    ("v1 409", v1_call, Answer(409, v1(code="lock_timeout")), later("lock_timeout")),
    ("v1 429 lock_timeout", v1_call, Answer(429, v1(code="lock_timeout")), later("lock_timeout")),
    (
        "v1 429 rate_limit, Retry-After",
        v1_call,
        Answer(429, v1(code="rate_limit"), {"Retry-After": "1"}),
        later("rate_limit", 1.0),
    ),
    ("v1 429 + Stripe-Should-Retry", v1_call, Answer(429, v1(code="rate_limit"), RETRY), later("rate_limit")),
    ("v1 500 api_error", v1_call, Answer(500, v1(type="api_error")), AMBIGUOUS),
    ("v1 500, not to be retried", v1_call, Answer(500, v1(), {"Stripe-Should-Retry": "false"}), AMBIGUOUS),
    ("v1 502 HTML", v1_call, Answer(502, b"<html>bad gateway</html>", HTML), AMBIGUOUS),
    ("v1 200 with a truncated JSON body", v1_call, Answer(200, b'{"object": "billing.me'), AMBIGUOUS),
    ("v1 400 idempotency_error", v1_call, Answer(400, v1(type="idempotency_error")), later("IdempotencyError")),
    ("v2 400 duplicate_meter_event", v2_call, Answer(400, v2("duplicate_meter_event")), DELIVERED),
    (
        "v2 400 payload_invalid_value",
        v2_call,
        Answer(400, v2("payload_invalid_value")),
        Park(ParkReason.INVALID_VALUE, "payload_invalid_value: no"),
    ),
    ("v2 400 no_meter", v2_call, Answer(400, v2("no_meter")), NoMeter("no_meter: no")),
    ("v2 404 no_meter", v2_call, Answer(404, v2("no_meter")), NoMeter("no_meter: no")),
    (
        "v2 409 too_many_concurrent_requests",
        v2_call,
        Answer(409, v2("too_many_concurrent_requests")),
        later("too_many_concurrent_requests"),
    ),
    (
        "v2 429 too_many_concurrent_requests",
        v2_call,
        Answer(429, v2("too_many_concurrent_requests")),
        later("too_many_concurrent_requests"),
    ),
    ("v2 429 type rate_limit", v2_call, Answer(429, v2("rate_limit", type="rate_limit")), later("rate_limit")),
    ("v2 500", v2_call, Answer(500, v2("api_error")), AMBIGUOUS),
    (
        "stream 401 type temporary_session_expired",
        stream_call,
        Answer(401, v2("billing_meter_event_session_expired", type="temporary_session_expired")),
        later("TemporarySessionExpiredError"),
    ),
    ("stream 401 without type", stream_call, Answer(401, v2("billing_meter_event_session_expired")), STOP),
    ("connection reset before answer", v1_call, Reset(), AMBIGUOUS),
    ("connection closed (FIN) before answer", v1_call, Hangup(), AMBIGUOUS),
    ("connection reset before answer (v2)", v2_call, Reset(), AMBIGUOUS),
    ("read time-out", v1_call, Silence(), AMBIGUOUS),
]


def agrees(outcome: Outcome, expected: Outcome | type[Outcome]) -> bool:
    """A type stands for any reason."""
    return isinstance(outcome, expected) if isinstance(expected, type) else outcome == expected


@pytest.mark.parametrize(("call", "behaviour", "expected"), [pytest.param(*row, id=name) for name, *row in TABLE])
async def test_each_measured_answer_has_its_outcome(
    call: Any, behaviour: Behaviour, expected: Outcome | type[Outcome]
) -> None:
    """The whole measured table of stripe-python: one request each, and one fate."""
    patience = 2.5 if isinstance(behaviour, Silence) else 30.0  # a machine that stands still is no silence
    async with answering(behaviour) as server:
        with pytest.raises(stripe.StripeError) as raised:
            await call(client_of(server.url, patience))
        assert server.requests == 1
    assert agrees(outcome_of(raised.value), expected)


async def test_a_refused_connection_is_ambiguous() -> None:
    """Nobody listens: nobody knows of a proxy in between what it did with an earlier attempt."""
    with pytest.raises(stripe.APIConnectionError) as raised:
        await v2_call(client_of(refusing_url()))
    assert isinstance(outcome_of(raised.value), Ambiguous)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("payload_invalid_value", ParkReason.INVALID_VALUE),
        ("meter_event_value_too_many_digits", ParkReason.INVALID_VALUE),
        ("payload_no_value_defined", ParkReason.INVALID_VALUE),
        ("payload_no_customer_defined", ParkReason.UNKNOWN_CUSTOMER),
        ("meter_event_customer_not_found", ParkReason.UNKNOWN_CUSTOMER),
        ("timestamp_too_far_in_past", ParkReason.REFUSED),
        ("something_new", ParkReason.REFUSED),
    ],
)
async def test_a_refusal_parks_the_row_for_its_reason(code: str, reason: ParkReason) -> None:
    """Every code of the synchronous endpoint that says never; an unknown one parks as well, with its name."""
    async with answering(Answer(400, v2(code))) as server:
        assert await SingleTransport(client_of(server.url)).send(ROW, name_of(ROW)) == Park(reason, f"{code}: no")


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(Answer(200, EVENT), Delivered, id="the event"),
        pytest.param(Answer(200, b""), Ambiguous, id="an empty body"),
        pytest.param(Answer(200, b"null"), Ambiguous, id="null"),
        pytest.param(Answer(200, b"[]"), Ambiguous, id="a list"),
        pytest.param(Answer(200, b'"ok"'), Ambiguous, id="a string"),
        pytest.param(Answer(200, {}), Ambiguous, id="an object without anything"),
        pytest.param(Answer(200, EVENT | {"identifier": "other"}), Ambiguous, id="another event"),
        pytest.param(Answer(200, b"<html>sign in to this network</html>", HTML), Ambiguous, id="HTML"),
        pytest.param(Answer(200, b"\xff\xfe\x00"), Ambiguous, id="no text at all"),
        pytest.param(Answer(200, EVENT, cut=5), Ambiguous, id="cut off by the network"),
        pytest.param(Answer(302, b"", {"Location": "/elsewhere"}), Ambiguous, id="a redirect"),
        pytest.param(Answer(400, b"<html>bad request</html>", HTML), Ambiguous, id="a proxy's 400"),
        pytest.param(Answer(404, b"<html>not found</html>", HTML), StopWorker, id="a 404 in HTML"),
        pytest.param(Answer(404, {"detail": "Not Found"}), StopWorker, id="another service's 404"),
        pytest.param(Answer(404, v1(UNRECOGNIZED)), StopWorker, id="a URL that Stripe does not know"),
        pytest.param(Answer(404, v2("not_found")), StopWorker, id="a v2 URL that Stripe does not know"),
        pytest.param(Answer(404, b""), StopWorker, id="an empty 404"),
        pytest.param(Answer(404, {"error": "not found"}), Ambiguous, id="an error that is a string"),
        pytest.param(Answer(400, {"error": ["no"]}), Ambiguous, id="an error that is a list"),
        pytest.param(Answer(400, {"error": {"code": {"a": 1}}}), Park, id="a code that is an object"),
        pytest.param(Answer(400, b"[]"), Ambiguous, id="a refusal without an error"),
        pytest.param(Answer(503, b"null"), Ambiguous, id="503 null"),
        pytest.param(Answer(504, b""), Ambiguous, id="504 empty"),
        pytest.param(
            Answer(429, b"<html>slow down</html>", HTML),
            later("HTTP 429"),
            id="a proxy's 429",
        ),
    ],
)
async def test_the_transport_never_raises_for_what_comes_back(
    behaviour: Behaviour, expected: Outcome | type[Outcome]
) -> None:
    """Delivered is only what is a meter event; what is not Stripe's own answer leaves everything open."""
    async with answering(behaviour) as server:
        assert agrees(await SingleTransport(client_of(server.url)).send(ROW, name_of(ROW)), expected)


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("nan", None),
        ("inf", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("", None),
    ],
)
async def test_retry_after_is_a_finite_number_of_seconds(value: str, delay: float | None) -> None:
    """Anything else is as if the header were not there: no row may sleep for ever."""
    async with answering(Answer(429, v2("rate_limit"), {"Retry-After": value})) as server:
        outcome = await SingleTransport(client_of(server.url)).send(ROW, name_of(ROW))
    assert outcome == later("rate_limit", delay)


async def test_a_stop_for_a_wrong_address_says_where_to_look() -> None:
    """No row is parked for it, and whoever is paged reads the setting's name."""
    async with answering(Answer(404, v1(UNRECOGNIZED))) as server:
        outcome = await SingleTransport(client_of(server.url)).send(ROW, name_of(ROW))
    assert isinstance(outcome, StopWorker)
    assert "BILLING_STRIPE_API_BASE" in outcome.reason
    assert "Unrecognized request URL" in outcome.reason


@pytest.mark.parametrize("reason", ["global-rate", "endpoint-concurrency", "resource-specific"])
async def test_why_stripe_limits_the_rate_is_told(reason: str) -> None:
    """Which limit it is decides what to do about it: the account's rate, its concurrency, or one object's."""
    headers = {"Retry-After": "2", "Stripe-Rate-Limited-Reason": reason}
    async with answering(Answer(429, v2("rate_limit"), headers)) as server:
        outcome = await SingleTransport(client_of(server.url)).send(ROW, name_of(ROW))
    assert outcome == later(f"rate_limit, {reason}", 2.0)


async def test_no_call_waits_for_a_connection() -> None:
    """What the rate limit admits leaves at once: who waits for the pool would seem to have timed out."""
    calls = 150  # the libraries' pools stop at a hundred
    async with answering(Silence()) as server:
        transport = SingleTransport(client_of(server.url))

        async def all_have_arrived() -> bool:
            return server.requests == calls

        waiting = [asyncio.create_task(transport.send(ROW, name_of(ROW))) for _ in range(calls)]
        try:
            await eventually_async(all_have_arrived, what="that all calls are under way")
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_worker_s_client_never_sends_twice_by_itself() -> None:
    """Stripe-python's own retries are off: it is decided here what is sent again, and when."""
    async with answering(Answer(500, v2("api_error"), RETRY)) as server:
        assert isinstance(await SingleTransport(client_of(server.url)).send(ROW, name_of(ROW)), Ambiguous)
        assert server.requests == 1
