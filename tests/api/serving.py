"""Any ASGI application, served in this process on a free loopback port."""

from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.support.http_serving import running


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The base URL, while the context lasts; what is still in progress at its end is broken off."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", timeout_graceful_shutdown=1)
    with running(uvicorn.Server(config)) as url:
        yield url
