"""`/docs`: the descriptions as people read them."""

import re

import httpx
import pytest


@pytest.mark.parametrize(("page", "source"), [("/docs", "/openapi.json"), ("/docs/platform", "/openapi-platform.json")])
async def test_every_operation_stands_on_its_page(api: httpx.AsyncClient, page: str, source: str) -> None:
    """Given a description, its page has every operation, every problem's code, and a place for each of its links."""
    shown, described = await api.get(page), (await api.get(source)).json()
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    for path, item in described["paths"].items():
        for method, operation in item.items():
            assert f"<b>{method.upper()}</b> {path}</h3>" in shown.text
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    assert all(code in shown.text for code in content.get("examples", {}))
    places = set(re.findall('id="([^"]+)"', shown.text))
    assert set(re.findall('href="#([^"]+)"', shown.text)) <= places


async def test_nothing_comes_from_elsewhere(api: httpx.AsyncClient) -> None:
    """Given the page, it is guarded as the dashboard is, holds no script, and its style sheet is our own."""
    page = await api.get("/docs")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for foreign in ("<script", "style=", "<style", 'src="', 'href="http'):
        assert foreign not in page.text
    style = await api.get("/docs/reference.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
    again = await api.get("/docs/reference.css", headers={"If-None-Match": style.headers["etag"]})
    assert again.status_code == 304
