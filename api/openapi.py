"""The API's description: FastAPI's, with the browser's session as the other way to be known."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from api.session_cookie import COOKIE

_SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": COOKIE,
    "description": "A browser that signed in at /dashboard/session",
}


def describing(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What `app.openapi` becomes."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema["components"]["securitySchemes"]["Session"] = _SESSION
        return schema

    return openapi
