"""GET /api/billing/portal: a new Stripe session for a customer, and all cases without one."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from starlette.types import ASGIApp

from api.app import create_app
from api.endpoints.stripe_portal import StripePortal
from api.settings import ApiSettings
from local.servers.ports import free_port
from local.stripe.app import create_app as create_double
from local.stripe.clock import StripeClock
from local.stripe.store import StripeStore
from metering.account import Account
from tests.api.calling import PORTAL, USAGE, assert_problem, bearer, calling, client_of, settings_of
from tests.api.folded import Folded
from tests.api.serving import serving
from tests.api.stripe_answers import SECRET, Held, OneAnswer, error, trickle
from tests.support.eventually import eventually

KEY = "sk_test_double"
SESSION_BODY = b'{"object":"billing_portal.session","url":"https://billing.stripe.com/p/session/x"}'


@dataclass(frozen=True)
class Double:
    """A running Stripe double."""

    url: str

    def request(self, method: str, path: str) -> dict[str, Any]:
        """A request to it, sent without the API."""
        answer = httpx.request(method, f"{self.url}{path}", headers={"Authorization": f"Bearer {KEY}"})
        return answer.raise_for_status().json()


@pytest.fixture
def double() -> Iterator[Double]:
    """An empty Stripe."""
    store = StripeStore()
    with serving(create_double(store, StripeClock())) as url:
        yield Double(url)
    store.close()


def with_stripe(settings: ApiSettings, url: str, **more: Any) -> ApiSettings:
    """The same API with a Stripe at that address."""
    return settings_of(settings.redis_url, settings.redis_prefix, stripe_api_key=KEY, stripe_api_base=url, **more)


async def a_customers_key(folded: Folded, customer: str = "cus_1") -> str:
    """The API key of an account that has a Stripe customer."""
    await folded.account("acme", Account(customer=customer))
    return await folded.key("acme")


async def ask(settings: ApiSettings, stripe: ASGIApp, key: str) -> httpx.Response:
    """The API's answer when Stripe behaves like this."""
    with serving(stripe) as url:
        async with calling(with_stripe(settings, url)) as api:
            return await api.get(PORTAL, headers=bearer(key))


async def test_a_customer_gets_a_fresh_link_each_time(settings: ApiSettings, folded: Folded, double: Double) -> None:
    """Given an account with a Stripe customer, each answer is exactly one new URL and is not to be kept."""
    key = await a_customers_key(folded, double.request("POST", "/v1/customers")["id"])
    async with calling(with_stripe(settings, double.url)) as api:
        answers = [await api.get(PORTAL, headers=bearer(key)) for _ in range(2)]
    for answer in answers:
        assert answer.status_code == 200
        assert list(answer.json()) == ["url"]
        assert answer.json()["url"].startswith("https://billing.stripe.com/p/session/")
        assert answer.headers["cache-control"] == "no-store"
    assert answers[0].json() != answers[1].json()


@pytest.mark.parametrize("return_url", ["", "https://example.com/account/billing"])
async def test_the_return_url_is_the_settings_own(settings: ApiSettings, folded: Folded, return_url: str) -> None:
    """Given a return URL it is sent; given none, Stripe's configuration decides."""
    key = await a_customers_key(folded)
    stripe = OneAnswer(200, SESSION_BODY)
    with serving(stripe) as url:
        async with calling(with_stripe(settings, url, portal_return_url=return_url)) as api:
            answer = await api.get(PORTAL, headers=bearer(key))
    assert answer.json() == {"url": "https://billing.stripe.com/p/session/x"}
    sent = {"customer": ["cus_1"]} | ({"return_url": [return_url]} if return_url else {})
    assert [parse_qs(form.decode()) for form in stripe.forms] == [sent]


async def test_an_account_without_a_customer(settings: ApiSettings, folded: Folded, double: Double) -> None:
    """Given no record of the account, or one without a customer, there is no portal to go to."""
    key = await folded.key("acme")
    async with calling(with_stripe(settings, double.url)) as api:
        assert_problem(await api.get(PORTAL, headers=bearer(key)), 404, "no_stripe_customer")
        await folded.account("acme", Account(anchor=0))
        assert_problem(await api.get(PORTAL, headers=bearer(key)), 404, "no_stripe_customer")


async def test_a_customer_that_stripe_does_not_have(settings: ApiSettings, folded: Folded, double: Double) -> None:
    """Given a customer that Stripe never had or has deleted, the answer is `no_stripe_customer`."""
    customer = double.request("POST", "/v1/customers")["id"]
    key = await a_customers_key(folded, customer)
    async with calling(with_stripe(settings, double.url)) as api:
        assert (await api.get(PORTAL, headers=bearer(key))).status_code == 200
        double.request("DELETE", f"/v1/customers/{customer}")
        assert_problem(await api.get(PORTAL, headers=bearer(key)), 404, "no_stripe_customer")
        await folded.account("acme", Account(customer="cus_never"))
        assert_problem(await api.get(PORTAL, headers=bearer(key)), 404, "no_stripe_customer")


async def test_no_stripe_key(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given an API that was started without a Stripe key, there is no portal."""
    answer = await api.get(PORTAL, headers=bearer(await a_customers_key(folded)))
    assert_problem(answer, 503, "portal_not_configured")


@pytest.mark.parametrize(
    "message",
    [
        "No configuration provided and your live mode default configuration has not been created.",
        "Your PortalConfiguration does not have a `default_return_url`, and you did not provide a `return_url`.",
    ],
)
async def test_a_portal_without_settings(
    settings: ApiSettings, folded: Folded, caplog: pytest.LogCaptureFixture, message: str
) -> None:
    """Given a Stripe account whose portal was never set up, the platform has work to do and its log says so."""
    stripe = OneAnswer(400, error("invalid_request_error", message))
    answer = await ask(settings, stripe, await a_customers_key(folded))
    assert_problem(answer, 503, "portal_not_configured")
    assert "Stripe" not in answer.text
    assert SECRET not in answer.text
    assert [record.levelno for record in caplog.records if record.name == "api.endpoints.stripe_portal"] == [
        logging.ERROR
    ]


UNAVAILABLE = {
    "server error": OneAnswer(500, error("api_error", "Sorry")),
    "bad gateway": OneAnswer(502, b"<html>Bad gateway</html>"),
    "rate limit": OneAnswer(429, error("invalid_request_error", "Too many", code="rate_limit"), {"Retry-After": "1"}),
    "conflict": OneAnswer(409, error("invalid_request_error", "Locked", code="lock_timeout")),
    "cut short": OneAnswer(200, b'{"object":"billing_portal.ses'),
}


@pytest.mark.parametrize("stripe", UNAVAILABLE.values(), ids=UNAVAILABLE.keys())
async def test_a_stripe_in_trouble(settings: ApiSettings, folded: Folded, stripe: OneAnswer) -> None:
    """Given a Stripe that cannot answer now, the caller may try again soon and sees nothing of Stripe's error."""
    asked = len(stripe.forms)
    answer = await ask(settings, stripe, await a_customers_key(folded))
    assert_problem(answer, 503, "stripe_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert SECRET not in answer.text
    assert len(stripe.forms) == asked + 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_stripe_refuses(
    settings: ApiSettings, folded: Folded, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Given a wrong or too narrow Stripe key, customers see an outage, and the log an error without the key."""
    stripe = OneAnswer(status, error("invalid_request_error", f"Invalid API Key provided: {KEY}"))
    answer = await ask(settings, stripe, await a_customers_key(folded))
    assert_problem(answer, 503, "stripe_unavailable")
    assert KEY not in answer.text
    records = [record for record in caplog.records if record.name == "api.endpoints.stripe_portal"]
    assert [record.levelno for record in records] == [logging.ERROR]
    assert KEY not in caplog.text


async def test_a_stripe_that_is_away(settings: ApiSettings, folded: Folded) -> None:
    """Given nothing at Stripe's address, the answer is an outage."""
    key = await a_customers_key(folded)
    async with calling(with_stripe(settings, f"http://127.0.0.1:{free_port()}")) as api:
        assert_problem(await api.get(PORTAL, headers=bearer(key)), 503, "stripe_unavailable")


async def test_a_stripe_that_never_finishes_its_answer(settings: ApiSettings, folded: Folded) -> None:
    """Given an answer that trickles, the call as a whole is bounded, not only each read."""
    key = await a_customers_key(folded)
    with serving(trickle) as url:
        bounded = with_stripe(settings, url)
        stripe = StripePortal(bounded, call_seconds=0.3)
        async with client_of(create_app(bounded, stripe=stripe)) as api:
            assert_problem(await api.get(PORTAL, headers=bearer(key)), 503, "stripe_unavailable")
        await stripe.close()


async def test_an_account_gets_so_many_links(settings: ApiSettings, folded: Folded) -> None:
    """Given three a minute, the fourth is refused without a word to Stripe, whichever key asks; others get theirs."""
    await folded.account("acme", Account(customer="cus_1"))
    await folded.account("other", Account(customer="cus_2"))
    keys = [await folded.key("acme"), await folded.key("acme")]
    stripe = OneAnswer(200, SESSION_BODY)
    with serving(stripe) as url:
        async with calling(with_stripe(settings, url, portal_limit=3)) as api:
            answers = [await api.get(PORTAL, headers=bearer(keys[number % 2])) for number in range(5)]
            other = await api.get(PORTAL, headers=bearer(await folded.key("other")))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert_problem(answers[-1], 429, "rate_limited")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert other.status_code == 200
    assert len(stripe.forms) == 4


async def test_no_limit_of_links(settings: ApiSettings, folded: Folded) -> None:
    """Given 0, an account gets as many as its keys may ask for."""
    key = await a_customers_key(folded)
    with serving(OneAnswer(200, SESSION_BODY)) as url:
        async with calling(with_stripe(settings, url, portal_limit=0)) as api:
            answers = [await api.get(PORTAL, headers=bearer(key)) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {200}


async def test_so_many_calls_to_stripe_at_once(settings: ApiSettings, folded: Folded) -> None:
    """Given two calls that Stripe holds, others wait for their turn; endpoints without Stripe go on meanwhile."""
    headers, stripe = bearer(await a_customers_key(folded)), Held(SESSION_BODY)
    with serving(stripe) as url:
        try:
            async with calling(with_stripe(settings, url, portal_calls=2)) as api:
                asked = [asyncio.create_task(api.get(PORTAL, headers=headers)) for _ in range(5)]
                await asyncio.to_thread(eventually, lambda: stripe.held == 2)
                assert (await api.get(USAGE, headers=headers)).status_code == 200
                stripe.release.set()
                assert {(await each).status_code for each in asked} == {200}
        finally:
            stripe.release.set()
    assert (stripe.seen, stripe.most) == (5, 2)
