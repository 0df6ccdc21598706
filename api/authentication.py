"""Who is calling: the account that an API key belongs to."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import ProblemCode, ProblemError
from api.shards import shard_of
from ledger.reading import find_key
from ledger.shard import Ledger
from metering.api_key import is_well_formed, key_hash

Authenticate = Callable[..., Awaitable[str]]
PROBLEMS = (ProblemCode.MISSING_API_KEY, ProblemCode.MALFORMED_API_KEY, ProblemCode.INVALID_API_KEY)


def authentication(ledger: Ledger) -> Authenticate:
    """The dependency that gives the caller's account id; it asks the shard of the key's hash, in one round trip."""
    bearer = HTTPBearer(
        auto_error=False, scheme_name="ApiKey", bearerFormat="tk_live_...", description="An API key of the account"
    )

    async def authenticate(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
        if credentials is None:
            raise ProblemError(ProblemCode.MISSING_API_KEY)
        key = credentials.credentials.strip()
        if not is_well_formed(key):
            raise ProblemError(ProblemCode.MALFORMED_API_KEY)
        name = key_hash(key)
        record = await find_key(shard_of(ledger, name), name)
        if record is None:
            raise ProblemError(ProblemCode.INVALID_API_KEY)
        return record.account

    return authenticate
