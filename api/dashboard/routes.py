"""`/dashboard/billing`: the page on which a customer sees usage and billing, and the files it is made of.

The page holds no data: its scripts ask the API, which knows the customer by the session's cookie.
"""

from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.http.assets import SECURITY, read_assets, served
from api.http.problems import ProblemCode, ProblemError

PAGE = "/dashboard/billing"
ASSETS = "/dashboard/assets"
_PAGE_FILE = "billing.html"


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
        return Response(page.content, headers={**SECURITY, "Cache-Control": "no-store"}, media_type=page.media_type)

    @router.get(f"{ASSETS}/{{name}}")
    async def asset(name: str, request: Request) -> Response:
        if name not in assets:
            raise ProblemError(ProblemCode.NOT_FOUND)
        return served(assets[name], request.headers.get("if-none-match"))

    return router
