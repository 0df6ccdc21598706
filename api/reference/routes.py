"""`/docs` and `/openapi.json`: the descriptions as pages for people, and as JSON for programs."""

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.assets import SECURITY, read_assets, served
from api.http.conditional import answer, digest
from api.reference.description import Descriptions
from api.reference.page import render

OPENAPI = "/openapi.json"
PLATFORM = "/openapi-platform.json"
DOCS = "/docs"
STYLE = "reference.css"


def reference_routes(descriptions: Descriptions) -> APIRouter:
    """Returns both descriptions, as JSON and as a page. They need no key: this project's documents say the same."""
    router = APIRouter(include_in_schema=False)
    style = read_assets(files("api.reference") / "page")[STYLE]
    documents = ((OPENAPI, DOCS, descriptions.callers), (PLATFORM, f"{DOCS}/platform", descriptions.platform))
    for json_path, page_path, describe in documents:
        router.add_api_route(json_path, _as_json(describe))
        router.add_api_route(page_path, _as_page(describe, json_path))

    @router.get(f"{DOCS}/{STYLE}")
    async def stylesheet(request: Request) -> Response:
        return served(style, request.headers.get("if-none-match"))

    return router


def _as_json(describe: Callable[[], dict[str, Any]]) -> Callable[[Request], Response]:
    def description(request: Request) -> Response:
        body = json.dumps(describe()).encode()
        return answer(request, body, tag=f'W/"{digest(body)}"', headers={})

    return description


def _as_page(describe: Callable[[], dict[str, Any]], source: str) -> Callable[[], Response]:
    def page() -> Response:
        body = render(describe(), source=source, style=f"{DOCS}/{STYLE}")
        return Response(body, headers={**SECURITY, "Cache-Control": "no-cache"}, media_type="text/html")

    return page
