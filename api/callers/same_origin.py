"""Whether a browser sent a request from one of our own pages: the second lock beside SameSite=Strict."""

from urllib.parse import urlsplit

from starlette.requests import Request

from api.http.problems import ProblemCode, ProblemError


def require_same_origin(request: Request) -> None:
    """Refuses what a page of another origin made a browser send.

    Browsers say where a request comes from in Sec-Fetch-Site (Fetch Metadata), older ones in Origin; what says neither
    is no browser, and can't be made to send somebody else's cookie.

    Raises:
        ProblemError: `cross_site_request`.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        allowed = site == "same-origin"
    else:
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise ProblemError(ProblemCode.CROSS_SITE_REQUEST)
