"""The process as it is deployed: `python -m api`, asked by unrelated HTTP clients, and told to stop."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import requests

from local.ports import free_port
from local.process import Command, ServerProcess
from local.stripe.app import create_app as create_double
from local.stripe.clock import Clock
from local.stripe.store import Store
from metering.account import Account
from metering.meters import CATALOGUE
from tests.api.calling import PORTAL, USAGE
from tests.api.folded import PARTITIONS, Folded
from tests.api.serving import serving
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
NODE = """
const [url, key] = process.argv.slice(1);
fetch(url, {headers: {Authorization: `Bearer ${key}`}}).then(async answer => {
  process.stdout.write(JSON.stringify([answer.status, await answer.json()]));
});
"""


@pytest.fixture
def double() -> Iterator[str]:
    """The address of an empty Stripe."""
    store = Store()
    with serving(create_double(store, Clock())) as url:
        yield url
    store.close()


class Process(ServerProcess):
    """`python -m api` on a free port."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        command = Command(
            [sys.executable, "-m", "api"],
            directory / "api.log",
            {**clean, **environment, "BILLING_HTTP_PORT": str(port), "BILLING_PARTITIONS": str(PARTITIONS)},
            ROOT,
        )
        super().__init__("API", command, self._answers)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, TimeoutError):
            return False


@pytest.fixture
def process(tmp_path: Path, redis_url: str, redis_prefix: str, double: str) -> Iterator[Process]:
    """The API, serving."""
    environment = {
        "BILLING_REDIS_URL": redis_url,
        "BILLING_REDIS_PREFIX": redis_prefix,
        "BILLING_STRIPE_API_BASE": double,
        "BILLING_STRIPE_API_KEY": "sk_test_double",
    }
    running = Process(tmp_path, environment)
    try:
        running.start()
        yield running
    finally:
        running.kill()


EXPECTED = {
    "usage": [{"meter": meter.name, "displayName": meter.display_name, "total": 0} for meter in CATALOGUE],
    "message": "Usage for current billing period",
}


async def test_requests_reads_both_endpoints(process: Process, folded: Folded, double: str) -> None:
    """Given the served API, Python's requests gets both answers."""
    headers = {"Authorization": f"Bearer {await folded.key('acme')}"}
    stripe = {"Authorization": "Bearer sk_test_double"}
    customer = requests.post(f"{double}/v1/customers", headers=stripe, timeout=10).json()["id"]
    await folded.account("acme", Account(customer=customer))
    usage = requests.get(process.url + USAGE, headers=headers, timeout=10)
    portal = requests.get(process.url + PORTAL, headers=headers, timeout=10)
    assert (usage.status_code, usage.json()) == (200, EXPECTED)
    assert (portal.status_code, list(portal.json())) == (200, ["url"])
    assert requests.get(f"{process.url}/readyz", timeout=10).json() == {"status": "ok"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
async def test_curl(process: Process, folded: Folded) -> None:
    """Given the served API, curl gets the body."""
    header = f"Authorization: Bearer {await folded.key('acme')}"
    done = subprocess.run(["curl", "-sS", "--fail", "-H", header, process.url + USAGE], capture_output=True, check=True)
    assert json.loads(done.stdout) == EXPECTED


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
async def test_node(process: Process, folded: Folded) -> None:
    """Given the served API, node's fetch gets the body."""
    argv = ["node", "-e", NODE, process.url + USAGE, await folded.key("acme")]
    done = subprocess.run(argv, capture_output=True, check=True)
    assert json.loads(done.stdout) == [200, EXPECTED]


async def test_sigterm_lets_requests_end(process: Process, folded: Folded, double: str) -> None:
    """Given a request that waits for Stripe, SIGTERM ends the process with 0 after it was answered."""
    await folded.account("acme", Account(customer="cus_unknown"))
    headers = {"Authorization": f"Bearer {await folded.key('acme')}"}
    requests.post(f"{double}/_double/latency", json={"seconds": 1.5}, timeout=10).raise_for_status()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.get, process.url + PORTAL, headers=headers, timeout=30)
        eventually(lambda: "portal/sessions" in str(_in_progress(process.command.log)) or _busy(process))
        assert process.stop() == 0, process.tail()
        assert waiting.result().json()["code"] == "no_stripe_customer"


async def test_it_starts_without_redis(tmp_path: Path) -> None:
    """Given no Redis, the process lives and says that it is not ready."""
    process = Process(tmp_path, {"BILLING_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})
    try:
        process.start()
        assert requests.get(f"{process.url}/readyz", timeout=10).status_code == 503
        assert process.stop() == 0, process.tail()
    finally:
        process.kill()
    assert "Traceback" not in process.command.log.read_text()
