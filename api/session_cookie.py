"""The cookie of a signed-in browser: the shard of its key, and a secret that the platform knows by its sha256 only."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "billing_session"
SESSION_SECONDS = 12 * 3600
_SHAPE = re.compile(r"([0-9]{1,6})\.([A-Za-z0-9_-]{43})")  # 256 bits
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class SessionId:
    """Where a session is kept, and under which hash."""

    shard: int
    hash: str


def make_session(shard: int, secret: Callable[[int], str]) -> tuple[str, SessionId]:
    """A new cookie value and its id; `secret` must be `secrets.token_urlsafe` outside tests."""
    value = f"{shard}.{secret(SECRET_BYTES)}"
    return value, _id_of(shard, value)


def read_session(request: Request, partitions: int) -> SessionId | None:
    """The session that the request's cookie names; None without one, or for what can't be one."""
    value = request.cookies.get(COOKIE)
    found = _SHAPE.fullmatch(value) if value else None
    if value is None or found is None or int(found[1]) >= partitions:
        return None
    return _id_of(int(found[1]), value)


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
