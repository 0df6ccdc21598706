"""The API's OpenAPI descriptions: one for callers and their client generators, one for the platform's operators."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from fastapi import FastAPI

from api.callers.session_cookie import COOKIE
from api.http.describing import Tag
from api.http.problems import SCHEMAS, problem_schemas

_SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": COOKIE,
    "description": "A browser that signed in at /dashboard/session",
}
_TAGS = {
    Tag.USAGE: "An account's units: now, by day, by billing period.",
    Tag.PORTAL: "The way to Stripe's billing portal, with invoices and payment methods.",
    Tag.SESSIONS: "For pages on the API's own origin: a key becomes a session.",
    Tag.PLATFORM: "For supervisors, Prometheus and Stripe. Expose these addresses to nobody else.",
}
_SERVERS = [{"url": "/", "description": "Where this description comes from"}]


class Descriptions:
    """Both descriptions, made from FastAPI's once all routes are added."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.callers = cache(lambda: self._part(set(Tag) - {Tag.PLATFORM}))
        self.platform = cache(lambda: self._part({Tag.PLATFORM}))

    def _part(self, tags: set[Tag]) -> dict[str, Any]:
        """Returns the addresses of some tags, with only the components that they need."""
        whole = self._app.openapi()
        paths = {path: item for path, item in whole["paths"].items() if _tags(item) <= tags}
        components = {
            "schemas": _needed(paths, whole["components"]["schemas"] | problem_schemas()),
            "securitySchemes": whole["components"]["securitySchemes"] | {"Session": _SESSION},
        }
        if not any(operation["security"] for item in paths.values() for operation in item.values()):
            del components["securitySchemes"]
        described = [{"name": tag, "description": text} for tag, text in _TAGS.items() if tag in tags]
        return {**whole, "servers": _SERVERS, "tags": described, "paths": paths, "components": components}


def _tags(item: dict[str, Any]) -> set[str]:
    return {tag for operation in item.values() for tag in operation["tags"]}


def _needed(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Returns the schemas that the paths refer to, directly or through other schemas."""
    found, waiting = set[str](), list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(schemas[name])
    return {name: schema for name, schema in sorted(schemas.items()) if name in found}


def _references(part: object) -> Iterator[str]:
    """Yields the names of all schemas that a part refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(SCHEMAS)
        for each in part.values():
            yield from _references(each)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)
