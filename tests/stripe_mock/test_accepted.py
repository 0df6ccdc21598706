"""Stripe's own mock takes every v1 request that the product makes, with the parameters that it makes it with.

The double is ours, and so are its mistakes: this description of Stripe's API is Stripe's. It serves nothing of v2,
where meter events are sent, and keeps no state: what is asked for may be of anybody.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stripe
from pydantic import SecretStr

from api.endpoints.stripe_portal import StripePortal
from api.settings import ApiSettings
from local.stack.stripe_setup import make_customers
from metering.meters import CATALOGUE
from ops.accounts.subscriptions import read_subscriptions, subscriptions_of
from runtime.clock import SystemClock
from runtime.settings import StripeSettings
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.stripe_api.client import make_client, worker_client
from stripe_sync.stripe_api.meter_ids import KnownMeterIds
from stripe_sync.stripe_api.meters import create_missing, list_meters
from stripe_sync.stripe_api.start_check import stripe_identity
from stripe_sync.stripe_api.stripe_time import StripeTime
from stripe_sync.stripe_api.subscriptions import StripeSubscriptions
from stripe_sync.stripe_api.summaries import StripeSummaries
from tests.ledger_push.counts import HOUR, NOON
from tests.ledger_push.rows import row
from tests.stripe_sync.world import at_once

from .built import BUILD_SECONDS, running_mock, stripe_mock
from .product import calls_in_source

pytestmark = pytest.mark.timeout(BUILD_SECONDS + 100)
MADE = {
    "accounts.retrieve_current": "GET /v1/account",
    "billing.meters.create": "POST /v1/billing/meters",
    "billing.meters.list": "GET /v1/billing/meters",
    "billing.meters.event_summaries.list": "GET /v1/billing/meters/ID/event_summaries",
    "billing_portal.sessions": "POST /v1/billing_portal/sessions",
    "customers.create": "POST /v1/customers",
    "customers.list": "GET /v1/customers",
    "prices.create": "POST /v1/prices",
    "products.create": "POST /v1/products",
    "subscriptions.create": "POST /v1/subscriptions",
    "subscriptions.list": "GET /v1/subscriptions",
}
"""Each call in the source, and the request that it is."""

Request = Callable[..., Awaitable[tuple[bytes, int, Mapping[str, str]]]]


@dataclass
class Traffic:
    """What went over the wire: each request with the status of its answer."""

    answers: list[tuple[str, int]] = field(default_factory=list)

    def around(self, request: Request) -> Request:
        """The same request, noted."""

        async def noted(http: Any, method: str, url: str, *rest: Any) -> tuple[bytes, int, Mapping[str, str]]:
            answer = await request(http, method, url, *rest)
            path = re.sub(r"\?.*", "", re.sub(r"^http://[^/]+", "", url))
            self.answers.append((f"{method.upper()} {re.sub(r'/(mtr|cus|sub)_[^/]+', '/ID', path)}", answer[1]))
            return answer

        return noted


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running mock."""
    with running_mock(stripe_mock(), tmp_path_factory.mktemp("stripe-mock") / "log") as url:
        yield url


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """Both of stripe-python's HTTP clients, as the product uses them, noted."""
    traffic = Traffic()
    for http in (stripe.HTTPXClient, stripe.AIOHTTPClient):
        monkeypatch.setattr(http, "request_async", traffic.around(http.request_async))
    return traffic


def settings(url: str) -> StripeSyncSettings:
    """Of a worker."""
    return StripeSyncSettings(namespace="tests", stripe_api_key=SecretStr("sk_test_1"), stripe_api_base=url)


async def the_worker(url: str) -> None:
    """Start check, meters, summaries, a look at Stripe's clock."""
    time = StripeTime(SystemClock())
    async with worker_client(settings(url), time.note) as client:
        await stripe_identity(client, settings(url))
        await list_meters(client)
        summaries = StripeSummaries(client, KnownMeterIds({"sms.send": ("mtr_1",)}))
        await summaries.units(row(0, 5))
        await StripeSubscriptions(client, at_once).of("cus_1")
        for window in ("hour", "day"):
            await summaries.windows("cus_1", "sms.send", NOON - 12 * HOUR, NOON + 12 * HOUR, window)
    assert time.skew() == pytest.approx(0, abs=5)


async def the_operator(url: str) -> None:
    """`billing stripe setup`, `billing accounts import-stripe`."""
    client = make_client(settings(url))
    assert await create_missing(client) == [meter.name for meter in CATALOGUE]
    await read_subscriptions(client, "account", every=True)
    await subscriptions_of(client, "cus_1")


async def the_api(url: str) -> None:
    """The portal, with and without a return URL."""
    for back in ("", "https://customers.example/billing"):
        facts = {"stripe_api_key": SecretStr("sk_test_1"), "stripe_api_base": url, "portal_return_url": back}
        portal = StripePortal(ApiSettings(**facts))  # type: ignore[arg-type]
        assert (await portal.open_session("cus_1")).startswith("http")
        await portal.close()


async def the_stack(url: str) -> None:
    """`billing up`: the demo's customers."""
    stripe_settings = StripeSettings(stripe_api_key=SecretStr("sk_test_1"), stripe_api_base=url)
    made = await asyncio.to_thread(make_customers, stripe_settings, {"acme": None}, "tests", NOON)
    assert set(made) == {"acme"}


async def test_stripes_own_mock_takes_every_request(url: str, traffic: Traffic) -> None:
    """All that the source has are made, and none is refused."""
    for everybody in (the_worker, the_operator, the_api, the_stack):
        await everybody(url)
    assert {request for request, _ in traffic.answers} == set(MADE.values())
    assert [answer for answer in traffic.answers if not 200 <= answer[1] < 300] == []


def test_no_request_of_the_product_is_left_out() -> None:
    """Whoever adds one adds it here."""
    assert calls_in_source() == set(MADE)


async def test_the_mock_refuses_what_is_not_stripes(url: str, traffic: Traffic, tmp_path: Path) -> None:
    """Else its word were worth nothing."""
    client = make_client(settings(url))
    wrong: list[Callable[[], Awaitable[object]]] = [
        lambda: client.v1.billing.meters.list_async({"limit": 1, "nonsense": 2}),  # type: ignore[typeddict-unknown-key]
        lambda: client.v1.billing.meters.create_async({"display_name": "x"}),  # type: ignore[typeddict-item]
    ]
    for call in wrong:
        with suppress(stripe.InvalidRequestError):
            await call()
    assert [status for _, status in traffic.answers] == [400, 400]
