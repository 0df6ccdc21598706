"""Pages of the configured origins may call the API; others may not read its answers."""

import httpx
import pytest

from api.settings import ApiSettings
from tests.api.calling import SESSION, USAGE, assert_problem, bearer, calling, settings_of
from tests.api.folded import Folded

ASKED = {"authorization", "if-none-match", "x-request-id", "traceparent", "tracestate", "baggage"}
OURS, THEIRS = "https://app.example.com", "https://elsewhere.example.net"


def exposed(answer: httpx.Response) -> set[str]:
    """The headers that a page may read."""
    return {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}


async def test_a_page_of_ours(settings: ApiSettings, folded: Folded) -> None:
    """Given a configured origin, the preflight allows the key's header and the answer shows freshness and tag."""
    key = await folded.key("acme")
    async with calling(settings_of(settings.redis_url, settings.redis_prefix, cors_origins=OURS)) as api:
        preflight = await api.options(
            USAGE,
            headers={
                "Origin": OURS,
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": ",".join(sorted(ASKED)),
            },
        )
        answer = await api.get(USAGE, headers=bearer(key) | {"Origin": OURS})
        refused = await api.get(USAGE, headers={"Origin": OURS})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-origin"] == OURS
    assert {"x-usage-as-of", "etag", "retry-after", "content-disposition"} <= exposed(answer)
    assert {"ratelimit", "ratelimit-policy", "www-authenticate", "x-request-id"} <= exposed(answer)
    for each in (preflight, answer, refused):
        assert each.headers["access-control-allow-credentials"] == "true"
        assert "origin" in each.headers["vary"].lower()
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == OURS


async def test_a_page_of_others(settings: ApiSettings, folded: Folded) -> None:
    """Given another origin, the browser is not told that it may read the answer."""
    key = await folded.key("acme")
    async with calling(settings_of(settings.redis_url, settings.redis_prefix, cors_origins=OURS)) as api:
        answer = await api.get(USAGE, headers=bearer(key) | {"Origin": THEIRS})
    assert "access-control-allow-origin" not in answer.headers


async def test_pages_of_anyone(settings: ApiSettings, folded: Folded) -> None:
    """Given a star, any page may call with its own key, but never with a visitor's session."""
    key = await folded.key("acme")
    async with calling(settings_of(settings.redis_url, settings.redis_prefix, cors_origins="*")) as api:
        await api.post(SESSION, json={"key": key})
        signed_in = await api.get(USAGE, headers={"Origin": THEIRS})
        api.cookies.clear()
        with_key = await api.get(USAGE, headers=bearer(key) | {"Origin": THEIRS})
    assert with_key.headers["access-control-allow-origin"] == "*"
    for answer in (signed_in, with_key):
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_of_ours_elsewhere_does_not_sign_in(settings: ApiSettings, folded: Folded) -> None:
    """Given a configured origin, it may read with what there is, but sessions begin and end on our own pages only."""
    async with calling(settings_of(settings.redis_url, settings.redis_prefix, cors_origins=OURS)) as api:
        answer = await api.post(SESSION, json={"key": await folded.key("acme")}, headers={"Origin": OURS})
        asked = {"Origin": OURS, "Access-Control-Request-Method": "POST"}
        preflight = await api.options(SESSION, headers=asked)
    assert_problem(answer, 403, "cross_site_request")
    assert preflight.status_code == 400


async def test_no_origins(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given no configured origin, there are no CORS headers."""
    answer = await api.get(USAGE, headers=bearer(await folded.key("acme")) | {"Origin": OURS})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("text", "origins"),
    [("", ()), (OURS, (OURS,)), (f" {OURS}/ ,{THEIRS},", (OURS, THEIRS)), ("*", ("*",))],
)
def test_origins_are_written_with_commas(monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]) -> None:
    """BILLING_CORS_ORIGINS is a list as people write it."""
    monkeypatch.setenv("BILLING_CORS_ORIGINS", text)
    assert ApiSettings().cors_origins == origins
