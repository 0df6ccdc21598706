"""Checks that a browser's request comes from one of our own pages: a second protection beside SameSite=Strict."""

from urllib.parse import urlsplit

from starlette.requests import Request

from api.http.problems import ProblemCode, ProblemError


def require_same_origin(request: Request) -> None:
    """Refuses a request that a page of another origin made a browser send.

    Browsers send the origin of a request in Sec-Fetch-Site (Fetch Metadata), older ones in Origin. A client that sends
    neither is not a browser, and no page can make it send another person's cookie.

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
