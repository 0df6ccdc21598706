"""Reads a request's body, up to a limit."""

from starlette.requests import Request

from api.http.problems import ProblemCode, ProblemError


async def read_body(request: Request, limit: int) -> bytes:
    """Returns the whole body.

    Raises:
        ProblemError: `body_too_large`: the body has more than `limit` bytes; the rest is not read.
    """
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise ProblemError(ProblemCode.BODY_TOO_LARGE)
        parts.append(part)
    return b"".join(parts)
