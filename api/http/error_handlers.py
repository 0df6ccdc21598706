"""Turns exceptions into problems for the caller. An exception without an entry here is an internal error."""

import logging
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from redis.exceptions import (
    ClusterError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.faults import tell
from api.http.problems import ProblemCode, ProblemError, problem_response
from ledger.reading import NotReadyError

# Redis is away, starting, failing over or moving slots. Any other Redis error is a bug of ours.
STORE_ERRORS = (
    RedisConnectionError,
    RedisTimeoutError,
    ClusterError,
    RedisClusterException,
    ReadOnlyError,
    TryAgainError,
)
KNOWN_ERRORS = (ProblemError, NotReadyError, *STORE_ERRORS)
_BY_STATUS = {
    HTTPStatus.NOT_FOUND: ProblemCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: ProblemCode.METHOD_NOT_ALLOWED,
}

log = logging.getLogger(__name__)


def add_error_handlers(app: FastAPI) -> None:
    """Adds the handlers of the known errors; the middleware `InternalErrors` handles all others."""

    async def known(_: Request, error: Exception) -> Response:
        return respond_to(error)

    for kind in KNOWN_ERRORS:
        app.add_exception_handler(kind, known)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return problem_response(ProblemCode.VALIDATION_ERROR, tell(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = _BY_STATUS.get(HTTPStatus(error.status_code), ProblemCode.INTERNAL_ERROR)
        headers = dict(error.headers or {})
        if code is ProblemCode.METHOD_NOT_ALLOWED:
            headers |= _allow(app, request.url.path)
        return problem_response(code, headers=headers)


def respond_to(error: Exception) -> Response:
    """Returns the answer to one of `KNOWN_ERRORS`."""
    if isinstance(error, ProblemError):
        return problem_response(error.code, error.detail, error.headers)
    if isinstance(error, NotReadyError):
        return problem_response(ProblemCode.NOT_READY)
    log.warning("Redis: %s: %s", type(error).__name__, error)
    return problem_response(ProblemCode.STORE_UNAVAILABLE)


def _allow(app: FastAPI, path: str) -> dict[str, str]:
    """Returns all methods of an address (RFC 9110, 10.2.1). FastAPI would name only the methods of one route."""
    methods = {method.upper() for method in app.openapi()["paths"].get(path, {})}
    if "GET" in methods:
        methods.add("HEAD")  # api.http.head
    return {"Allow": ", ".join(sorted(methods))} if methods else {}


class InternalErrors:
    """A middleware: logs an unknown exception completely, and answers with a problem that reveals nothing of it.

    It is not an exception handler, because Starlette runs the handler of `Exception` outside of all middleware: the
    answer would have no CORS headers, and a page could not read it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on. If an answer has begun, the connection can only be broken off."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            log.exception("%s %r failed", scope["method"], scope["path"])
            await problem_response(ProblemCode.INTERNAL_ERROR)(scope, receive, send)
