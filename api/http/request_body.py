"""Reading a request's body, as far as it may be long."""

from starlette.requests import Request

from api.http.problems import ProblemCode, ProblemError


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        ProblemError: `body_too_large`: it has more than `limit` bytes; the rest is not read.
    """
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise ProblemError(ProblemCode.BODY_TOO_LARGE)
        parts.append(part)
    return b"".join(parts)
