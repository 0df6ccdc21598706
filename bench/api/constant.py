"""The reference for the API: a FastAPI application with a constant answer, served like the API. `... constant PORT`."""

import json
import signal
import sys

import uvicorn
from fastapi import FastAPI

from api.endpoints.usage import body_of
from api.http.server import SHUTDOWN_SECONDS
from metering.meters import CATALOGUE
from runtime.garbage import collect_seldom

_ANSWER: dict[str, object] = json.loads(body_of((123_456,) * len(CATALOGUE)))


def create_app() -> FastAPI:
    """Returns an application that answers like the API, but always with the same totals."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/constant")
    async def constant() -> dict[str, object]:
        return _ANSWER

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _leave(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    application = create_app()
    collect_seldom()
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
