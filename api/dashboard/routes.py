"""`/dashboard/billing`: the page on which a customer sees usage and billing, and the files it is made of.

The page holds no data: its scripts ask the API, which knows the customer by the session's cookie.
"""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.problems import ProblemCode, ProblemError

PAGE = "/dashboard/billing"
ASSETS = "/dashboard/assets"
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_PAGE_FILE = "billing.html"
_MEDIA_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_SECURITY = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # Stripe's portal need not know where its visitor comes from
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page, as it is served. `tag` is its ETag."""

    content: bytes
    media_type: str
    tag: str


def dashboard_routes() -> APIRouter:
    """The page and its assets, read once from the package."""
    assets = read_assets(files("api.dashboard") / "page")
    page = assets.pop(_PAGE_FILE)
    router = APIRouter(include_in_schema=False)

    @router.get("/dashboard")
    async def front_door(request: Request) -> Response:
        """Where a form was led to keeps what became of it."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{PAGE}{query}")

    @router.get(PAGE)
    async def billing_page() -> Response:
        return Response(page.content, headers={**_SECURITY, "Cache-Control": "no-store"}, media_type=page.media_type)

    @router.get(f"{ASSETS}/{{name}}")
    async def asset(name: str, request: Request) -> Response:
        if name not in assets:
            raise ProblemError(ProblemCode.NOT_FOUND)
        return _served(assets[name], request.headers.get("if-none-match"))

    return router


def read_assets(directory: Traversable) -> dict[str, Asset]:
    """The directory's files by name."""
    return {file.name: _asset(file) for file in directory.iterdir() if _suffix(file) in _MEDIA_TYPES}


def _asset(file: Traversable) -> Asset:
    content = file.read_bytes()
    return Asset(content, _MEDIA_TYPES[_suffix(file)], f'"{sha256(content).hexdigest()[:32]}"')


def _suffix(file: Traversable) -> str:
    return file.name.rpartition(".")[2]


def _served(asset: Asset, known_tag: str | None) -> Response:
    """The file, or word that the browser's copy is the same: scripts of two releases never meet."""
    headers = {**_SECURITY, "Cache-Control": "no-cache", "ETag": asset.tag}
    if known_tag == asset.tag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
