"""Answers the busiest endpoint without FastAPI's routing, which costs more time than the answer itself."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.error_handlers import KNOWN_ERRORS, respond_to

Endpoint = Callable[[Request], Awaitable[Response]]


class FastRoute:
    """The innermost middleware: answers GET of one address itself, exactly as the endpoint's FastAPI route would.

    The FastAPI route describes the endpoint, and handles all other methods. Errors become the same problems.
    """

    def __init__(self, app: ASGIApp, path: str, endpoint: Endpoint) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint
        self._route = Route(path, endpoint)  # the metrics read the route from the scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes the request on."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        try:
            response = await self._endpoint(Request(scope, receive))
        except KNOWN_ERRORS as error:
            response = respond_to(error)
        await response(scope, receive, send)
