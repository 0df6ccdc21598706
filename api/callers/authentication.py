"""Authentication: finds the account of an API key, or of the session of a browser that signed in with a key."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from cachetools import LRUCache
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from api.callers.rate_limit import RateLimit
from api.callers.session_cookie import read_session
from api.http.problems import ProblemCode, ProblemError
from api.reading.shards import shard_of
from ledger.callers import find_caller, find_session
from ledger.shard import Ledger, Shard
from metering.api_key import PREFIX, is_well_formed, key_hash

PROBLEMS = (
    ProblemCode.MISSING_API_KEY,
    ProblemCode.MALFORMED_API_KEY,
    ProblemCode.INVALID_API_KEY,
    ProblemCode.INVALID_SESSION,
    ProblemCode.RATE_LIMITED,
)
_NO_BEARER = "The Authorization header has no Bearer token. Write the word Bearer, a space, and your API key."
_BARE_KEY = "The Authorization header holds the key alone. Write the word Bearer and a space before it."
KEPT_GUESSES = 10_000  # credentials; some 200 bytes each
OR_SESSION: dict[str, list[dict[str, list[str]]]] = {"security": [{"Session": []}]}
"""For OpenAPI: an endpoint that takes an API key also takes a browser's session."""
KEY_OR_SESSION: dict[str, list[dict[str, list[str]]]] = {"security": [{"ApiKey": []}, *OR_SESSION["security"]]}
"""The same for an endpoint that does not depend on `Authentication` in FastAPI's way."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: the account whose usage may be read. `headers` (the key's rate limit) belong to all answers."""

    account: str
    label: str
    headers: Mapping[str, str]


Authenticate = Callable[..., Awaitable[Caller]]


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of a request: the hash of a key or of a session, and the shard that knows its account."""

    shard: Shard
    hash: str
    session: bool


class Authentication(SecurityBase):
    """The FastAPI dependency that returns the caller. It asks the shard of the key's hash, in one round trip."""

    def __init__(self, ledger: Ledger, limit: RateLimit) -> None:
        self.model = HTTPBearerModel(bearerFormat="tk_live_...", description="An API key of the account")
        self.scheme_name = "ApiKey"
        self._ledger = ledger
        self._limit = limit
        self._accounts: LRUCache[str, str] = LRUCache(KEPT_GUESSES)

    async def __call__(self, request: Request) -> Caller:
        """Returns the caller of a request; raises the errors of `credential` and `identify`."""
        return await self.identify(self.credential(request))

    def credential(self, request: Request) -> Credential:
        """Returns the request's credential. An API key takes precedence over a session.

        Raises:
            ProblemError: `missing_api_key` or `malformed_api_key`.
        """
        key = bearer_token(request)
        if key:
            name = checked_hash(key)
            return Credential(shard_of(self._ledger, name), name, session=False)
        session = read_session(request, self._ledger.partitions)
        if session is None:
            raise ProblemError(ProblemCode.MISSING_API_KEY, _missing(request.headers.get("authorization")))
        return Credential(self._ledger.shard(session.shard), session.hash, session=True)

    def likely_account(self, credential: Credential) -> str | None:
        """Returns the account at the credential's last identification: only a guess. None: never identified."""
        return self._accounts.get(credential.hash)

    async def identify(self, credential: Credential) -> Caller:
        """Returns the caller behind a credential, as the shard knows it now.

        Raises:
            ProblemError: `invalid_api_key`, `invalid_session` or `rate_limited`.
            NotReadyError: the shard can't tell yet.
        """
        now, window = self._limit.window()
        find = find_session if credential.session else find_caller
        found = await find(credential.shard, credential.hash, now=now, window=window)
        if found is None:
            self._accounts.pop(credential.hash, None)
            raise ProblemError(ProblemCode.INVALID_SESSION if credential.session else ProblemCode.INVALID_API_KEY)
        self._accounts[credential.hash] = found.key.account
        headers = self._limit.headers(found.uses, window.seconds_left(now))
        return Caller(found.key.account, found.key.label, headers)


def bearer_token(request: Request) -> str:
    """Returns the Bearer token; empty for another scheme or none. The scheme's case is free (RFC 9110, 11.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _missing(header: str | None) -> str | None:
    """Returns a detail for an Authorization header without a token; None if there is no header."""
    if header is None:
        return None
    return _BARE_KEY if header.strip().startswith(PREFIX) else _NO_BEARER


def checked_hash(key: str) -> str:
    """Checks a key's shape and checksum, and returns its hash.

    Raises:
        ProblemError: `malformed_api_key`, without asking a shard.
    """
    if not is_well_formed(key):
        raise ProblemError(ProblemCode.MALFORMED_API_KEY)
    return key_hash(key)
