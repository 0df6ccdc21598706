"""The cookie of a signed-in browser: the shard of its key, and a secret. The platform stores only the sha256 of it."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "billing_session"
SESSION_SECONDS = 12 * 3600  # seconds
_SHAPE = re.compile(r"[0-9]{1,6}\.[A-Za-z0-9_-]{43}")  # the shard, and 256 bits of secret
SECRET_BYTES = 32  # bytes


@dataclass(frozen=True, slots=True)
class SessionId:
    """The shard that keeps a session, and the session's hash."""

    shard: int
    hash: str


class OwnCookie:
    """A middleware: removes all cookies but ours, and ours too if it has a wrong shape.

    FastAPI parses the cookies of every request before authentication, with Python's parser. Before Python 3.11.10 and
    3.12.6, its time grows with the square of a quoted cookie's length. Other pages of the same host may set cookies.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on, with our cookie or without any."""
        if scope["type"] == "http":
            fields = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
            if fields:
                value = session_in(fields)
                ours = [(b"cookie", f"{COOKIE}={value}".encode())] if value else []
                scope["headers"] = [field for field in scope["headers"] if field[0] != b"cookie"] + ours
        return self._app(scope, receive, send)


def session_in(cookies: Sequence[str]) -> str | None:
    """Returns our cookie's value in the Cookie header's fields: the last one with its name, if it has our shape."""
    pairs = (pair.partition("=") for field in cookies for pair in field.split(";"))
    values = [value.strip() for name, _, value in pairs if name.strip() == COOKIE]
    return values[-1] if values and _SHAPE.fullmatch(values[-1]) else None


def make_session(shard: int, secret: Callable[[int], str]) -> tuple[str, SessionId]:
    """Returns a new cookie value and its id; `secret` must be `secrets.token_urlsafe` outside tests."""
    value = f"{shard}.{secret(SECRET_BYTES)}"
    return value, _id_of(shard, value)


def read_session(request: Request, partitions: int) -> SessionId | None:
    """Returns the session that the request's cookie names; None without a cookie, or with a wrong one."""
    value = session_in(request.headers.getlist("cookie"))
    shard = int(value.partition(".")[0]) if value else partitions
    return _id_of(shard, value) if value and shard < partitions else None


def set_cookie(response: Response, request: Request, value: str) -> None:
    """Sets the session cookie. No script and no other site can use it; set over https, it is only sent over https."""
    response.set_cookie(
        COOKIE, value, max_age=SESSION_SECONDS, path="/", httponly=True, samesite="strict", secure=_secure(request)
    )


def drop_cookie(response: Response, request: Request) -> None:
    """Removes the session cookie."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_secure(request))


def _id_of(shard: int, value: str) -> SessionId:
    return SessionId(shard, sha256(value.encode()).hexdigest())


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"
