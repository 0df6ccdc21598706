"""What the API is measured by: a FastAPI application that does nothing, served as the API is. `... constant PORT`."""

import signal
import sys

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response

from api.__main__ import SHUTDOWN_SECONDS
from api.usage import CurrentUsage, body_of
from metering.meters import CATALOGUE

_BODY = body_of((123_456,) * len(CATALOGUE))
_ANSWER = CurrentUsage.model_validate_json(_BODY.replace(b'"displayName"', b'"display_name"')).model_dump()


def create_app() -> FastAPI:
    """The same body every time: as FastAPI's users write it, and as bytes, which is the least that FastAPI can do."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/constant")
    async def constant() -> dict[str, object]:
        return _ANSWER

    @app.get("/bytes")
    async def constant_bytes() -> Response:
        return Response(_BODY, media_type="application/json")

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _leave(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    uvicorn.run(
        create_app(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
