"""`/dashboard/session`: a browser signs in with an API key, asks for its account, and signs out."""

import json
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from api.callers import authentication
from api.callers.authentication import OR_SESSION, Authenticate, Caller, checked_hash
from api.callers.same_origin import require_same_origin
from api.callers.session_cookie import SESSION_SECONDS, drop_cookie, make_session, read_session, set_cookie
from api.http.describing import NOBODY, Tag
from api.http.problems import ProblemCode, ProblemError, describe
from api.http.request_body import read_body
from api.reading.shards import shard_of
from ledger.attempts import count_attempt
from ledger.reading import find_key
from ledger.sessions import end_session, open_session
from ledger.shard import Ledger
from runtime.addresses import neighbourhood

SESSION = "/dashboard/session"
DASHBOARD = "/dashboard"
ATTEMPTS_SECONDS = 300  # seconds in which attempts are counted
MAX_BODY_BYTES = 4096  # bytes: a key has 46 characters
_FORM = "application/x-www-form-urlencoded"


class SignedIn(BaseModel):
    """Whom a session is for, and the label of the key that it was opened with."""

    model_config = ConfigDict(json_schema_extra={"example": {"account": "acct_1", "label": "Ada's laptop"}})

    account: str
    label: str


class SignIn:
    """Exchanges an API key for a session."""

    def __init__(self, ledger: Ledger, attempts: int, secret: Callable[[int], str]) -> None:
        self._ledger = ledger
        self._attempts = attempts
        self._secret = secret

    async def open(self, request: Request, key: str) -> str:
        """Opens a session for a key, and returns the cookie's value.

        Raises:
            ProblemError: there were too many attempts, or the key is missing or wrong.
            NotReadyError: the key's shard can't tell yet.
        """
        await self._count(request)
        if not key:
            raise ProblemError(ProblemCode.MISSING_API_KEY)
        name = checked_hash(key)
        shard = shard_of(self._ledger, name)
        if await find_key(shard, name) is None:
            raise ProblemError(ProblemCode.INVALID_API_KEY)
        value, session = make_session(shard.number, self._secret)
        await open_session(shard, session.hash, name, seconds=SESSION_SECONDS)
        return value

    async def _count(self, request: Request) -> None:
        address = neighbourhood(request.client.host if request.client else "")
        attempts = await count_attempt(shard_of(self._ledger, address), address, seconds=ATTEMPTS_SECONDS)
        if attempts.count > self._attempts:
            seconds = str(max(attempts.seconds_left, 1))
            raise ProblemError(ProblemCode.TOO_MANY_ATTEMPTS, headers={"Retry-After": seconds})


def session_routes(authenticate: Authenticate, ledger: Ledger, sign_in: SignIn) -> APIRouter:
    """Returns the three endpoints."""
    router = APIRouter(tags=[Tag.SESSIONS])

    @router.post(
        SESSION,
        operation_id="signIn",
        status_code=204,
        responses=_SIGN_IN,
        openapi_extra={"requestBody": _BODY, **NOBODY},
    )
    async def open_one(request: Request) -> Response:
        """Sign in: an API key becomes a session of 12 hours, in a cookie that no script can read.

        The dashboard's own page sends a form (`key`), which is led back there, with what went wrong as `problem`.
        """
        require_same_origin(request)
        form, key = await read_key(request)
        try:
            value = await sign_in.open(request, key)
        except ProblemError as problem:
            if form:
                return RedirectResponse(f"{DASHBOARD}?problem={problem.code}", 303)
            raise
        response = RedirectResponse(DASHBOARD, 303) if form else Response(status_code=204)
        response.headers["Cache-Control"] = "no-store"
        set_cookie(response, request, value)
        return response

    @router.get(SESSION, operation_id="session", response_model=SignedIn, responses=_WHO, openapi_extra=OR_SESSION)
    async def who(caller: Annotated[Caller, Depends(authenticate)]) -> Response:
        """The account that is signed in."""
        body = SignedIn(account=caller.account, label=caller.label).model_dump_json()
        return Response(body, 200, {**caller.headers, "Cache-Control": "no-store"}, "application/json")

    @router.delete(SESSION, operation_id="signOut", status_code=204, responses=_SIGN_OUT, openapi_extra=NOBODY)
    async def end_one(request: Request) -> Response:
        """Sign out: the session ends, here and on the server. Without one, nothing happens."""
        require_same_origin(request)
        session = read_session(request, ledger.partitions)
        if session is not None:
            await end_session(ledger.shard(session.shard), session.hash)
        response = Response(status_code=204)
        drop_cookie(response, request)
        return response

    return router


async def read_key(request: Request) -> tuple[bool, str]:
    """Returns whether the request is a page's form, and its key; an empty one if the key is empty.

    Raises:
        ProblemError: the body is too large, incomplete, of another type, or has no key.
    """
    try:
        body = await read_body(request, MAX_BODY_BYTES)
    except ClientDisconnect as error:
        raise ProblemError(ProblemCode.VALIDATION_ERROR, "The body is not complete.") from error
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _FORM:
        fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        if "key" not in fields:
            raise ProblemError(ProblemCode.VALIDATION_ERROR, "The form must have a field: key.")
        return True, fields["key"][0].strip()
    if kind == "application/json":
        return False, _key_of(body)
    raise ProblemError(ProblemCode.UNSUPPORTED_MEDIA_TYPE)


def _key_of(body: bytes) -> str:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProblemError(ProblemCode.VALIDATION_ERROR, "The body is not JSON.") from error
    key = parsed.get("key") if isinstance(parsed, dict) else None
    if not isinstance(key, str):
        raise ProblemError(
            ProblemCode.VALIDATION_ERROR, 'The body must be an object with a text: {"key": "tk_live_..."}.'
        )
    return key.strip()


_SCHEMA = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}
_BODY = {
    "required": True,
    "content": {"application/json": {"schema": _SCHEMA, "example": {"key": "tk_live_..."}}},
}
_STORE = (ProblemCode.NOT_READY, ProblemCode.STORE_UNAVAILABLE)
_SIGN_IN: dict[int | str, dict[str, Any]] = {
    204: {"description": "Signed in", "headers": {"Set-Cookie": {"schema": {"type": "string"}}}},
    303: {
        "description": "A form is led to the dashboard",
        "headers": {"Location": {"schema": {"type": "string"}}},
    },
    **describe(
        ProblemCode.MISSING_API_KEY,
        ProblemCode.MALFORMED_API_KEY,
        ProblemCode.INVALID_API_KEY,
        ProblemCode.CROSS_SITE_REQUEST,
        ProblemCode.BODY_TOO_LARGE,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        ProblemCode.VALIDATION_ERROR,
        ProblemCode.TOO_MANY_ATTEMPTS,
        *_STORE,
    ),
}
_WHO: dict[int | str, dict[str, Any]] = describe(*authentication.PROBLEMS, *_STORE)
_SIGN_OUT: dict[int | str, dict[str, Any]] = {
    204: {"description": "Signed out"},
    **describe(ProblemCode.CROSS_SITE_REQUEST, ProblemCode.STORE_UNAVAILABLE),
}
