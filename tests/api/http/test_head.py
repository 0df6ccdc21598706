"""HEAD: the head of what GET would answer, wherever GET is."""

import httpx
import pytest

from api.settings import ApiSettings
from tests.api.calling import DAILY, PERIODS, SESSION, USAGE, assert_problem, bearer, calling, settings_of
from tests.api.folded import Folded

PAGES = ["/dashboard", "/dashboard/billing", "/docs", "/docs/platform", "/openapi.json", "/openapi-platform.json"]
PATHS = [USAGE, DAILY, PERIODS, SESSION, *PAGES, "/healthz", "/readyz"]
COUNTS = {"ratelimit", "date"}  # differ from one request to the next


def told(answer: httpx.Response) -> dict[str, str]:
    """The headers but those that count."""
    return {name: value for name, value in answer.headers.items() if name not in COUNTS}


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("path", PATHS)
async def test_the_same_headers_and_no_body(api: httpx.AsyncClient, folded: Folded, path: str, coding: str) -> None:
    """Given any address that takes GET, the length and the tag are those of the body that is left out."""
    headers = bearer(await folded.key("acme")) | {"Accept-Encoding": coding}
    get, head = [await api.request(method, path, headers=headers) for method in ("GET", "HEAD")]
    assert get.status_code in {200, 307}
    assert (head.status_code, told(head)) == (get.status_code, told(get))
    assert head.content == b""
    if coding == "identity":
        assert int(head.headers["content-length"]) == len(get.content)


async def test_a_tag_that_fits(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given the current tag, HEAD says so as GET does."""
    headers = bearer(await folded.key("acme"))
    tag = (await api.head(USAGE, headers=headers)).headers["etag"]
    assert (await api.head(USAGE, headers=headers | {"If-None-Match": tag})).status_code == 304


async def test_errors_have_a_head_too(api: httpx.AsyncClient) -> None:
    """Given no key, or an address that takes no GET, the status says it."""
    refused = await api.head(USAGE)
    assert (refused.status_code, refused.content) == (401, b"")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await api.head("/webhooks/stripe")).status_code == 405
    assert_problem(await api.get("/webhooks/stripe"), 405, "method_not_allowed")


async def test_pages_of_other_origins_may_ask_for_it(settings: ApiSettings, folded: Folded) -> None:
    """Given a configured origin, the preflight allows it."""
    origin = "https://app.example.com"
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "HEAD",
        "Access-Control-Request-Headers": "authorization",
    }
    async with calling(settings_of(settings.redis_url, settings.redis_prefix, cors_origins=origin)) as api:
        assert (await api.options(USAGE, headers=headers)).status_code == 200


async def test_it_is_counted_by_its_own_name(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given requests with HEAD, the metrics tell them from GET, by the same route."""
    await api.head(USAGE, headers=bearer(await folded.key("acme")))
    await api.head(PERIODS, headers=bearer(await folded.key("acme")))
    metrics = (await api.get("/metrics")).text
    for path in (USAGE, PERIODS):
        assert f'billing_api_requests_total{{method="HEAD",route="{path}",status="200"}} 1.0' in metrics
