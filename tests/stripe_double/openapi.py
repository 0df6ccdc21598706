"""Stripe's own OpenAPI description as JSON Schema, and exchanges held to it.

The description is not part of this repository. It is looked for at `BILLING_STRIPE_OPENAPI`, else beside the
repository at `../shared/facts/stripe-openapi-slice.json`.
"""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from local.stripe.forms import decode

from .exchanges import Exchange

Schema = dict[str, Any]

# What these faults leave is no answer of Stripe's.
_NOT_STRIPES = ("bad_gateway", "truncated")

_DEFAULT = Path(__file__).parents[3] / "shared" / "facts" / "stripe-openapi-slice.json"


def description_path() -> Path:
    """Where Stripe's description should be."""
    return Path(os.environ.get("BILLING_STRIPE_OPENAPI") or _DEFAULT)


@cache
def description() -> Schema | None:
    """Stripe's description, or None where it is absent."""
    path = description_path()
    return json.loads(path.read_text()) if path.exists() else None


def _described() -> Schema:
    known = description()
    assert known is not None
    return known


def problems(exchange: Exchange) -> Iterator[str]:
    """The violations of Stripe's description in an exchange; only accepted requests are checked."""
    operation = _operation(exchange)
    if operation is None or exchange.headers.get("stripe-double-fault", "") in _NOT_STRIPES or not exchange.status:
        return
    if exchange.status == 200:
        yield from _complaints(exchange, "request", _request_schema(exchange, operation), _request(exchange, operation))
    answer = json.loads(exchange.answer)
    yield from _complaints(exchange, "answer", _answer_schema(exchange, operation), answer)
    for event in _events(answer):
        yield from _complaints(exchange, "event", {"$ref": f"#/components/schemas/{event['type']}"}, event)


def operation_of(exchange: Exchange) -> str | None:
    """The name of the operation in Stripe's description, such as `PostBillingMeters`."""
    operation = _operation(exchange)
    return None if operation is None else operation["operationId"]


def _events(answer: Any) -> Iterator[Schema]:
    """The v2 events in an answer, but for what all events have."""
    common = _described()["components"]["schemas"]["v2.core.event"]["properties"].keys() - {"type"}
    if not isinstance(answer, dict):
        return
    for each in answer["data"] if isinstance(answer.get("data"), list) else [answer]:
        if each.get("object") == "v2.core.event":
            yield {name: value for name, value in each.items() if name not in common}


def _operation(exchange: Exchange) -> Schema | None:
    for template, methods in (description() or {"paths": {}})["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), exchange.path):
            return methods.get(exchange.method.lower())
    return None


def _request_schema(exchange: Exchange, operation: Schema) -> Schema:
    if exchange.method == "GET":
        named = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        return {
            "type": "object",
            "properties": {each["name"]: each["schema"] for each in named},
            "required": [each["name"] for each in named if each.get("required")],
            "additionalProperties": False,
        }
    content = operation.get("requestBody", {}).get("content", {})
    return next(iter(content.values()))["schema"] if content else {}


def _request(exchange: Exchange, operation: Schema) -> Any:
    if exchange.path.startswith("/v2/") and exchange.method == "POST":
        return json.loads(exchange.request or b"{}")
    text = exchange.query if exchange.method == "GET" else exchange.request.decode()
    form = decode(text)
    if exchange.path.startswith("/v2/core/events/"):
        form.pop("usage", None)  # stripe-python's own, not in Stripe's description
    return _typed(form, _request_schema(exchange, operation))


def _answer_schema(exchange: Exchange, operation: Schema) -> Schema:
    if exchange.status == 200:
        return operation["responses"]["200"]["content"]["application/json"]["schema"]
    if exchange.path.startswith("/v2/"):
        code = json.loads(exchange.answer)["error"]["code"]
        named = f"v2.error.{code}"
        name = named if named in _described()["components"]["schemas"] else "v2.error"
        return {"$ref": f"#/components/schemas/{name}"}
    return {"$ref": "#/components/schemas/error"}


def _complaints(exchange: Exchange, which: str, schema: Schema, instance: Any) -> Iterator[str]:
    document = _converted(schema) | {"components": {"schemas": _components()}}
    for error in Draft202012Validator(document).iter_errors(instance):
        yield f"{exchange}, {which}: {error.json_path}: {error.message[:300]}"


@cache
def _components() -> Schema:
    return {name: _closed(name, _converted(schema)) for name, schema in _described()["components"]["schemas"].items()}


def _closed(name: str, schema: Schema) -> Schema:
    """A component with named properties has no others; an event has what its type says, too."""
    if name != "v2.core.event" and "properties" in schema and "additionalProperties" not in schema:
        return schema | {"additionalProperties": False}
    return schema


def _converted(schema: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema: `nullable` becomes one more type."""
    if isinstance(schema, list):
        return [_converted(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {key: _converted(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [converted, {"type": "null"}]} if schema.get("nullable") is True else converted


def _typed(value: Any, schema: Schema) -> Any:
    """A form has strings only: read them as the types that the schema names."""
    kind = schema.get("type")
    if isinstance(value, dict) and kind == "array":
        return [_typed(value[key], schema["items"]) for key in sorted(value, key=int)]
    if isinstance(value, dict):
        named = schema.get("properties", {})
        return {key: _typed(each, named.get(key, {})) for key, each in value.items()}
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in {"true", "false"}:
        return value == "true"
    return value
