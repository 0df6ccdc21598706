"""Hostile clients against the API as it is deployed: the cost of one request, and the service for other clients."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
import redis
import requests

from api.reading.ranges import KEPT_DAYS
from metering.span import DAY_SECONDS
from tests.api.folded import folding
from tests.api.process import Process, api_process
from tests.support.cpu_time import cpu_seconds
from tests.support.eventually import eventually
from tests.support.http_serving import Client, status_of

SECRET = "whsec_test"  # noqa: S105 - of tests
TIMES = 9
# The aim is 10 ms of processor time for a request of anybody, 50 ms for one with a key. What is measured here includes
# what the machine's other tenants cost this one; each of these requests once cost seconds, or does where a bound is
# missing.
ANYBODY_SECONDS, CUSTOMER_SECONDS = 0.030, 0.150
LONG = 15_000  # bytes that fit into a head
LONG_LINE = 8_000  # and into its first line
TOO_LONG = 60_000


@dataclass(frozen=True)
class Target:
    """The running API, and the key of an account with usage on all days that are kept."""

    process: Process
    key: str


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Target]:
    """One API for all attacks, with a webhook; what it is told of Redis is cleared after them."""
    prefix = f"test-{uuid.uuid4().hex[:12]}:"
    environment = {
        "BILLING_STRIPE_WEBHOOK_SECRET": SECRET,
        "BILLING_HTTP_CONNECTIONS": "60",
        "BILLING_HTTP_CONNECTIONS_PER_ADDRESS": "40",
        "BILLING_HTTP_CLIENT_SECONDS": "1",
        "BILLING_TRUSTED_PROXIES": "127.0.0.9",
        "BILLING_RATE_LIMIT": "0",
    }
    key = asyncio.run(an_account(redis_url, prefix))
    with api_process(tmp_path_factory.mktemp("api"), redis_url, prefix, "http://127.0.0.1:9", **environment) as process:
        yield Target(process, key)
    with redis.Redis.from_url(redis_url) as client:
        for name in client.scan_iter(match=f"{prefix}*", count=1_000):
            client.unlink(name)


async def an_account(redis_url: str, prefix: str) -> str:
    """An account with usage on every day, and its key."""
    async with folding(redis_url, prefix) as folded:
        now = int(time.time())
        for day in range(KEPT_DAYS, -1, -1):
            await folded.use("acme", "sms.send", 1, now - day * DAY_SECONDS)
        key = await folded.key("acme")
        await folded.ready()
        return key


def request(path: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request as bytes; the connection ends with it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def cost(target: Target, sent: bytes) -> tuple[float, set[int]]:
    """The usual processor seconds that the API spends on a request; and its answer."""
    pid = target.process.pid
    assert pid
    seconds, statuses = list[float](), set[int]()
    for _ in range(TIMES):
        before = cpu_seconds(pid)
        with Client(target.process.url) as client:
            client.send(sent)
            statuses.add(status_of(client.rest()))
        seconds.append(cpu_seconds(pid) - before)
    return median(seconds), statuses


def quoted(size: int) -> str:
    """A cookie that Python's parser reads in the square of its length."""
    return 'Cookie: billing_session="' + "\\" * size + '"'


FROM_ANYBODY = {
    "a quoted cookie": (request("/dashboard/session", quoted(LONG)), {401}),
    "a quoted cookie at an address without a key": (request("/healthz", quoted(LONG)), {200}),
    "a quoted cookie that is longer than a head": (request("/dashboard/session", quoted(TOO_LONG)), {431}),
    "many cookies": (request("/api/billing/usage", "Cookie: " + "a=b; " * (LONG // 5)), {401}),
    "many fields": (request("/healthz", *["a:"] * 20_000), {431}),
    "many proxies": (request("/healthz", "X-Forwarded-For: " + "127.0.0.9," * (LONG // 10)), {200}),
    "many languages": (request("/healthz", "Accept: " + "a," * (LONG // 2)), {200}),
    "a long address": (request("/" + "a/" * (LONG_LINE // 2)), {404}),
    "a long query": (request("/dashboard?" + "a=b&" * (LONG_LINE // 4)), {307}),
    "a long key": (request("/api/billing/usage", "Authorization: Bearer " + "a" * LONG), {401}),
    "a long type": (
        request("/dashboard/session", "Content-Type: " + "a;" * (LONG // 2), method="POST", body=b"{}"),
        {415},
    ),
    "a deep body": (
        request("/dashboard/session", "Content-Type: application/json", method="POST", body=b"[" * 4096),
        {422},
    ),
    "a form of many fields": (
        request(
            "/dashboard/session", "Content-Type: application/x-www-form-urlencoded", method="POST", body=b"a&" * 2048
        ),
        {422},
    ),
    "many signatures": (
        request("/webhooks/stripe", "Stripe-Signature: t=1," + "v1=0," * (LONG // 5), method="POST", body=b"{}"),
        {400},
    ),
    "an unsigned body": (
        request("/webhooks/stripe", "Stripe-Signature: t=1,v1=00", method="POST", body=b"[" * 65_536),
        {400},
    ),
    "the description": (request("/openapi.json"), {200}),
    "the description, compressed": (request("/openapi.json", "Accept-Encoding: gzip"), {200}),
    "a method that an address does not take": (request("/api/billing/usage", method="PUT"), {405}),
    "readiness": (request("/readyz"), {200, 503}),
    "metrics": (request("/metrics"), {200}),
}


@pytest.mark.parametrize(("sent", "statuses"), FROM_ANYBODY.values(), ids=FROM_ANYBODY.keys())
def test_what_a_request_of_anybody_costs(target: Target, sent: bytes, statuses: set[int]) -> None:
    """Any request without a key costs little."""
    seconds, answered = cost(target, sent)
    assert answered <= statuses
    assert seconds < ANYBODY_SECONDS


TODAY = datetime.now(UTC).date()
ONE_DAY = f"/api/billing/usage/daily?start={TODAY}&end={TODAY}"
ALL_DAYS = f"/api/billing/usage/daily?start={TODAY - timedelta(days=KEPT_DAYS - 1)}&end={TODAY}"
OF_A_CUSTOMER = {
    "usage": ("/api/billing/usage", "X: y", {200}),
    "every day": (ALL_DAYS, "X: y", {200}),
    "every day as CSV": (ALL_DAYS.replace("daily", "daily.csv"), "X: y", {200}),
    "every day, compressed": (ALL_DAYS, "Accept-Encoding: gzip", {200}),
    "periods": ("/api/billing/periods", "X: y", {200}),
    "quoted kinds": (ONE_DAY, 'Accept: a/b;"' + ";" * LONG, {200}),
    "many kinds": (ONE_DAY, "Accept: " + "a," * (LONG // 2), {200}),
    "many weights": (ONE_DAY, "Accept: a/b" + ";a=b" * (LONG // 4), {200}),
    "kinds that are longer than a head": (ONE_DAY, 'Accept: a/b;"' + ";" * TOO_LONG, {431}),
    "many tags": ("/api/billing/usage", "If-None-Match: " + '"a",' * (LONG // 4), {200}),
    "many meters": (ONE_DAY + "&meter=sms.send" * (LONG_LINE // 17), "X: y", {422}),
    "many unknown meters": (ONE_DAY + "&meter=x" * (LONG_LINE // 10), "X: y", {422}),
    "many parameters": (ONE_DAY + "&a=b" * (LONG_LINE // 6), "X: y", {422}),
    "a long date": ("/api/billing/usage/daily?end=1&start=" + "1" * (LONG_LINE - 50), "X: y", {422}),
}


@pytest.mark.parametrize(("path", "field", "statuses"), OF_A_CUSTOMER.values(), ids=OF_A_CUSTOMER.keys())
def test_what_a_request_of_a_customer_costs(target: Target, path: str, field: str, statuses: set[int]) -> None:
    """Any request with a key costs little."""
    seconds, answered = cost(target, request(path, f"Authorization: Bearer {target.key}", field))
    assert answered <= statuses
    assert seconds < CUSTOMER_SECONDS


HALF_SENT = b"GET /api/billing/usage HTTP/1.1\r\nHost: x\r\nX: "
SLOW_BODY = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"


@pytest.mark.parametrize("sent", [b"", HALF_SENT, SLOW_BODY], ids=["silent", "half a head", "half a body"])
def test_clients_that_say_too_little_harm_nobody(target: Target, sent: bytes) -> None:
    """Several times as many as there are places, from several addresses: others are served, and each of them is left.

    The log says it in a few lines.
    """
    log = target.process.command.log
    before = len(log.read_text().splitlines())
    usage = target.process.url + "/api/billing/usage"
    headers = {"Authorization": f"Bearer {target.key}"}
    with ExitStack() as stack:
        silent = list[Client]()
        for number in range(200):
            source = f"127.0.0.{2 + number % 3}"
            silent.append(stack.enter_context(Client(target.process.url, source=source)))
            silent[-1].send(sent)
            if number % 20 == 0:
                assert requests.get(usage, headers=headers, timeout=10).status_code == 200
        assert requests.get(f"{target.process.url}/healthz", timeout=10).status_code == 200
        eventually(lambda: all(client.ended for client in silent))
    assert len(log.read_text().splitlines()) - before < 20
    assert requests.get(usage, headers=headers, timeout=10).status_code == 200
