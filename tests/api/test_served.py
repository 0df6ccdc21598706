"""The process as it is deployed: `python -m api`, called by several HTTP clients, and stopped."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from redis.asyncio import Redis

from local.servers.ports import free_port
from local.servers.process import ServerError
from local.servers.redis import RedisServer
from local.stripe.app import create_app as create_double
from local.stripe.clock import StripeClock
from local.stripe.store import StripeStore
from metering.account import Account
from metering.meters import CATALOGUE
from tests.api.calling import PORTAL, SESSION, USAGE
from tests.api.folded import Folded
from tests.api.process import Process, api_process
from tests.api.serving import serving
from tests.api.stripe_answers import Held
from tests.support.eventually import eventually
from tests.support.http_serving import Client

NODE = """
const [url, key] = process.argv.slice(1);
fetch(url, {headers: {Authorization: `Bearer ${key}`}}).then(async answer => {
  process.stdout.write(JSON.stringify([answer.status, await answer.json()]));
});
"""


@pytest.fixture
def double() -> Iterator[str]:
    """The address of an empty Stripe."""
    store = StripeStore()
    with serving(create_double(store, StripeClock())) as url:
        yield url
    store.close()


@pytest.fixture
def process(tmp_path: Path, redis_url: str, redis_prefix: str, double: str) -> Iterator[Process]:
    """The API, serving, with a Stripe double."""
    with api_process(tmp_path, redis_url, redis_prefix, double) as running:
        yield running


EXPECTED = {
    "usage": [{"meter": meter.name, "displayName": meter.display_name, "total": 0} for meter in CATALOGUE],
    "message": "Usage for current billing period",
}


async def fetch(method: str, url: str, headers: dict[str, str]) -> requests.Response:
    """A request by Python's requests."""
    return await asyncio.to_thread(requests.request, method, url, headers=headers, timeout=10)


async def output(*argv: str) -> bytes:
    """The output of a program, which must succeed."""
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=True)
    return done.stdout


async def test_requests_reads_both_endpoints(process: Process, folded: Folded, double: str) -> None:
    """Given the served API, Python's requests gets both answers."""
    headers = {"Authorization": f"Bearer {await folded.key('acme')}"}
    stripe = {"Authorization": "Bearer sk_test_double"}
    customer = (await fetch("POST", f"{double}/v1/customers", stripe)).json()["id"]
    await folded.account("acme", Account(customer=customer))
    usage = await fetch("GET", process.url + USAGE, headers)
    portal = await fetch("GET", process.url + PORTAL, headers)
    assert (usage.status_code, usage.json()) == (200, EXPECTED)
    assert (portal.status_code, list(portal.json())) == (200, ["url"])
    await folded.ready(as_of_ms=time.time_ns() // 1_000_000)
    assert (await fetch("GET", f"{process.url}/readyz", {})).json() == {"status": "ok"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
async def test_curl(process: Process, folded: Folded) -> None:
    """Given the served API, curl gets the body."""
    header = f"Authorization: Bearer {await folded.key('acme')}"
    assert json.loads(await output("curl", "-sS", "--fail", "-H", header, process.url + USAGE)) == EXPECTED


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
async def test_a_session_by_curl(process: Process, folded: Folded, tmp_path: Path) -> None:
    """Given the served API and a cookie jar, signing in opens the daily figures as CSV, and signing out closes them."""
    jar, today = str(tmp_path / "jar"), datetime.now(UTC).date()
    daily = f"{process.url}/api/billing/usage/daily.csv?start={today}&end={today}&meter=voice.ai"
    curl = ("curl", "-sS", "-b", jar, "-c", jar, "-w", "%{http_code}")
    key = json.dumps({"key": await folded.key("acme")})
    session = process.url + SESSION
    assert await output(*curl, "-H", "Content-Type: application/json", "-d", key, session) == b"204"
    lines = (await output(*curl, daily)).splitlines()
    assert lines[1:] == [f"{today},voice.ai,AI-Powered Calls,0,0,,".encode(), b"200"]
    assert await output(*curl, "-X", "DELETE", session) == b"204"
    assert (await output(*curl, daily)).endswith(b"401")


async def test_head_leaves_the_connection_as_it_was(process: Process, folded: Folded) -> None:
    """Given HEAD and then GET on one connection, the first has the length of the body and not a byte of it."""
    key = await folded.key("acme")
    with Client(process.url) as client:
        for method in ("HEAD", "GET"):
            client.send(f"{method} {USAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        head, get = client.answer(body=False), client.answer()
    assert (head[0], get[0]) == (200, 200)
    assert json.loads(get[2]) == EXPECTED
    assert {name: head[1][name] for name in ("content-length", "etag")} == {
        name: get[1][name] for name in ("content-length", "etag")
    }


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
async def test_node(process: Process, folded: Folded) -> None:
    """Given the served API, node's fetch gets the body."""
    answer = await output("node", "-e", NODE, process.url + USAGE, await folded.key("acme"))
    assert json.loads(answer) == [200, EXPECTED]


async def test_sigterm_lets_requests_end(tmp_path: Path, redis_url: str, redis_prefix: str, folded: Folded) -> None:
    """Given a request that waits for Stripe, SIGTERM closes the door, lets it end, and then ends the process with 0."""
    await folded.account("acme", Account(customer="cus_1"))
    headers = {"Authorization": f"Bearer {await folded.key('acme')}"}
    stripe = Held(b'{"object":"billing_portal.session","url":"https://billing.stripe.com/p/session/x"}')
    with (
        serving(stripe) as url,
        ThreadPoolExecutor(2) as pool,
        api_process(tmp_path, redis_url, redis_prefix, url) as api,
    ):
        waiting = pool.submit(requests.get, api.url + PORTAL, headers=headers, timeout=30)
        eventually(stripe.arrived.is_set)
        stopping = pool.submit(api.stop)
        eventually(lambda: not api.answers(), what="a closed door")
        stripe.release.set()
        assert waiting.result().json() == {"url": "https://billing.stripe.com/p/session/x"}
        assert stopping.result() == 0, api.tail()
        assert "Traceback" not in api.command.log.read_text()


def test_it_starts_without_redis(tmp_path: Path) -> None:
    """Given no Redis, the process lives and says that it is not ready."""
    with api_process(tmp_path, f"redis://127.0.0.1:{free_port()}/0", "", "http://127.0.0.1:9") as api:
        assert requests.get(f"{api.url}/readyz", timeout=10).status_code == 503
        assert api.stop() == 0, api.tail()
        assert "Traceback" not in api.command.log.read_text()


async def test_it_refuses_an_evicting_redis(tmp_path: Path, own_redis: RedisServer) -> None:
    """Given a Redis that may throw keys away by itself, the process says so and ends with 1."""
    async with Redis.from_url(own_redis.url) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
    with (
        pytest.raises(ServerError, match="exit code 1"),
        api_process(tmp_path, own_redis.url, "", "http://127.0.0.1:9"),
    ):
        pass
    assert "noeviction" in (tmp_path / "api.log").read_text()
