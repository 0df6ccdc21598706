"""Serves the files of a page from the package, and sets the security headers of a page."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources.abc import Traversable

from starlette.responses import Response

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_MEDIA_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
SECURITY = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # Stripe's portal need not learn our address
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page. `tag` is its ETag: a weak one, as the file may be compressed on its way."""

    content: bytes
    media_type: str
    tag: str


def read_assets(directory: Traversable) -> dict[str, Asset]:
    """Returns the directory's files by name."""
    return {file.name: _asset(file) for file in directory.iterdir() if _suffix(file) in _MEDIA_TYPES}


def _asset(file: Traversable) -> Asset:
    content = file.read_bytes()
    return Asset(content, _MEDIA_TYPES[_suffix(file)], f'W/"{sha256(content).hexdigest()[:32]}"')


def _suffix(file: Traversable) -> str:
    return file.name.rpartition(".")[2]


def served(asset: Asset, known_tag: str | None) -> Response:
    """Returns the file, or 304 if the browser's copy is the same. So scripts of two releases never run together."""
    headers = {**SECURITY, "Cache-Control": "no-cache", "ETag": asset.tag}
    if known_tag == asset.tag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
