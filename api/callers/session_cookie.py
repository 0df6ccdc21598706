"""The cookie of a signed-in browser: the shard of its key, and a secret that the platform knows by its sha256 only."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "billing_session"
SESSION_SECONDS = 12 * 3600
_SHAPE = re.compile(r"[0-9]{1,6}\.[A-Za-z0-9_-]{43}")  # 256 bits
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class SessionId:
    """Where a session is kept, and under which hash."""

    shard: int
    hash: str


class OwnCookie:
    """A middleware: of all cookies, only ours goes on, and only in our shape.

    FastAPI reads every request's cookies before it knows who asks, by Python's parser, whose time grows with the square
    of a quoted cookie's length (before 3.11.10 and 3.12.6). Other pages of the same host have cookies, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on, with our cookie or none."""
        if scope["type"] == "http":
            fields = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
            if fields:
                value = session_in(fields)
                ours = [(b"cookie", f"{COOKIE}={value}".encode())] if value else []
                scope["headers"] = [field for field in scope["headers"] if field[0] != b"cookie"] + ours
        return self._app(scope, receive, send)


def session_in(cookies: Sequence[str]) -> str | None:
    """Our cookie's value in the Cookie header's fields: the last of its name, if it has our shape."""
    pairs = (pair.partition("=") for field in cookies for pair in field.split(";"))
    values = [value.strip() for name, _, value in pairs if name.strip() == COOKIE]
    return values[-1] if values and _SHAPE.fullmatch(values[-1]) else None


def make_session(shard: int, secret: Callable[[int], str]) -> tuple[str, SessionId]:
    """A new cookie value and its id; `secret` must be `secrets.token_urlsafe` outside tests."""
    value = f"{shard}.{secret(SECRET_BYTES)}"
    return value, _id_of(shard, value)


def read_session(request: Request, partitions: int) -> SessionId | None:
    """The session that the request's cookie names; None without one, or for what can't be one."""
    value = session_in(request.headers.getlist("cookie"))
    shard = int(value.partition(".")[0]) if value else partitions
    return _id_of(shard, value) if value and shard < partitions else None


def set_cookie(response: Response, request: Request, value: str) -> None:
    """Gives the browser its session. No script and no other site can use it; over https it never leaves https."""
    response.set_cookie(
        COOKIE, value, max_age=SESSION_SECONDS, path="/", httponly=True, samesite="strict", secure=_secure(request)
    )


def drop_cookie(response: Response, request: Request) -> None:
    """Takes it away."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_secure(request))


def _id_of(shard: int, value: str) -> SessionId:
    return SessionId(shard, sha256(value.encode()).hexdigest())


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"
