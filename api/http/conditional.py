"""Answers that a client may keep, but must check on every use: a 304 has no body."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

CACHE_CONTROL = "private, no-cache"
NOT_MODIFIED: dict[str, Any] = {"description": "Not modified: If-None-Match names the current ETag"}


def digest(body: bytes) -> str:
    """Returns a hash of the body, for its entity tag."""
    return sha256(body).hexdigest()[:32]


def answer(
    request: Request, body: bytes, *, tag: str, headers: Mapping[str, str], media_type: str = "application/json"
) -> Response:
    """Returns the body, or 304 if the client has it already.

    Args:
        request: the request to answer.
        body: the whole body.
        tag: its entity tag, with quotes; with `W/` before it if bodies with the same tag may differ in `asOf`.
        headers: the headers of both kinds of answer.
        media_type: the media type of the body.
    """
    all_headers = {**headers, "Cache-Control": CACHE_CONTROL, "ETag": tag}
    if _matches(request.headers.getlist("if-none-match"), tag):
        return Response(status_code=304, headers=all_headers)
    return Response(body, headers=all_headers, media_type=media_type)


def _matches(if_none_match: list[str], tag: str) -> bool:
    """RFC 9110, 13.1.2: a weak comparison with any of the tags, or `*`."""
    asked = [each.strip().removeprefix("W/") for field in if_none_match for each in field.split(",")]
    return tag.removeprefix("W/") in asked or asked == ["*"]
