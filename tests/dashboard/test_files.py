"""The page's files as they are served and shipped; no browser is needed."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hatchling.builders.wheel import WheelBuilder

from api.app import create_app
from tests.api.calling import assert_problem, client_of, settings_of

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "api" / "dashboard" / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API without a Redis: the page needs none."""
    async with client_of(create_app(settings_of("redis://127.0.0.1:9/0", ""))) as client:
        yield client


async def test_the_page_is_guarded_and_never_kept(client: httpx.AsyncClient) -> None:
    """Given a request for the page, it comes with its policy and is kept by nobody."""
    answer = await client.get("/dashboard/billing")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    for inline in ("style=", "<style", "onclick", "<script>"):
        assert inline not in answer.text


async def test_the_dashboard_leads_to_the_page(client: httpx.AsyncClient) -> None:
    """Given the dashboard's own address, the browser goes on to the page, with what it was told."""
    answer = await client.get("/dashboard?problem=malformed_api_key")
    assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard/billing?problem=malformed_api_key")


async def test_an_asset_is_sent_once(client: httpx.AsyncClient) -> None:
    """Given a browser's copy of any file, it is told that it is the same; the type is the file's."""
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for file in SOURCES.iterdir():
        if file.suffix == ".html":
            continue
        answer = await client.get(f"/dashboard/assets/{file.name}")
        assert (answer.status_code, answer.content) == (200, file.read_bytes())
        assert answer.headers["content-type"].startswith(kinds[file.suffix])
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = await client.get(answer.url.path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_nothing_else_is_served(client: httpx.AsyncClient) -> None:
    """Given any other name, there is nothing."""
    for name in ("none.js", "billing.html", "..%2f__init__.py", "%2e%2e%2froutes.py"):
        assert_problem(await client.get(f"/dashboard/assets/{name}"), 404, "not_found")


def test_the_wheel_carries_the_page() -> None:
    """Given a wheel, every file of the page is in it."""
    shipped = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"api/dashboard/page/{file.name}" for file in SOURCES.iterdir()} <= shipped
