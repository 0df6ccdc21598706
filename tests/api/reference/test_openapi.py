"""`/openapi.json` and `/openapi-platform.json`: what client generators are told."""

from typing import Any

import httpx
import jsonschema
import pytest

from api.endpoints.webhook import WEBHOOK
from metering.meters import CATALOGUE
from tests.api.calling import PERIODS, PORTAL, SESSION, USAGE

DAILY = "/api/billing/usage/daily"
FILE = "/api/billing/usage/daily.csv"
CALLERS, PLATFORM = "/openapi.json", "/openapi-platform.json"


async def test_every_endpoint_is_described(api: httpx.AsyncClient) -> None:
    """Given the descriptions, callers read of theirs, with the two ways to be known; the platform of its own."""
    description = (await api.get("/openapi.json")).json()
    reading = {USAGE, DAILY, FILE, PERIODS, PORTAL}
    assert set(description["paths"]) == reading | {SESSION}
    platform = (await api.get(PLATFORM)).json()
    assert set(platform["paths"]) == {WEBHOOK, "/healthz", "/readyz", "/metrics"}
    assert "securitySchemes" not in platform["components"]
    schemes = description["components"]["securitySchemes"]
    assert schemes["ApiKey"]["scheme"] == "bearer"
    assert (schemes["Session"]["in"], schemes["Session"]["name"]) == ("cookie", "billing_session")
    for path in {*reading, SESSION}:
        assert description["paths"][path]["get"]["security"] == [{"ApiKey": []}, {"Session": []}]


@pytest.mark.parametrize(("source", "least"), [(CALLERS, 60), (PLATFORM, 8)])
async def test_every_answer_has_an_example_that_fits_its_schema(
    api: httpx.AsyncClient, source: str, least: int
) -> None:
    """Given any body that is described, its examples are valid; the bodies that there are have examples."""
    description = (await api.get(source)).json()
    components = {"components": description["components"]}
    shown = 0
    for operation in (each for path in description["paths"].values() for each in path.values()):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (each for body in bodies for each in body.get("content", {}).values()):
            examples = [each["value"] for each in content.get("examples", {}).values()]
            examples += [content["example"]] if "example" in content else []
            examples += [schema_of(description, content["schema"])["example"]] if not examples else []
            for example in examples:
                jsonschema.Draft202012Validator(content["schema"] | components).validate(example)
                shown += 1
    assert shown >= least


def schema_of(description: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that is meant."""
    return description["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


async def test_usage_has_a_schema_and_an_example(api: httpx.AsyncClient) -> None:
    """Given the usage endpoint, its example is a whole answer under the names of the wire."""
    description = (await api.get("/openapi.json")).json()
    described = description["paths"][USAGE]["get"]["responses"]["200"]
    assert description["components"]["schemas"]["CurrentUsage"]["required"] == ["usage", "message"]
    content = described["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/CurrentUsage"}
    assert list(content["example"]) == ["usage", "message"]
    assert [list(each) for each in content["example"]["usage"]] == [["meter", "displayName", "total"]] * 6
    assert [each["meter"] for each in content["example"]["usage"]] == [meter.name for meter in CATALOGUE]
    assert {"X-Usage-As-Of", "ETag"} <= set(described["headers"])


CALLING = {"missing_api_key", "malformed_api_key", "invalid_api_key", "invalid_session", "rate_limited"}
STORE = {"not_ready", "store_unavailable"}


@pytest.mark.parametrize(
    ("method", "path", "codes"),
    [
        ("get", USAGE, CALLING | STORE),
        ("get", PERIODS, CALLING | STORE | {"validation_error"}),
        ("get", DAILY, CALLING | STORE | {"validation_error"}),
        ("get", FILE, CALLING | STORE | {"validation_error"}),
        ("get", PORTAL, CALLING | STORE | {"no_stripe_customer", "portal_not_configured", "stripe_unavailable"}),
        ("get", SESSION, CALLING | STORE),
        ("delete", SESSION, {"cross_site_request", "store_unavailable"}),
        (
            "post",
            SESSION,
            {"missing_api_key", "malformed_api_key", "invalid_api_key", "cross_site_request", "too_many_attempts"}
            | {"validation_error", "body_too_large", "unsupported_media_type"}
            | STORE,
        ),
        (
            "post",
            WEBHOOK,
            {"invalid_signature", "invalid_body", "validation_error", "body_too_large"}
            | {"webhook_not_configured", "store_unavailable"},
        ),
    ],
)
async def test_every_problem_has_an_example(api: httpx.AsyncClient, method: str, path: str, codes: set[str]) -> None:
    """Given an endpoint, each problem that it may answer with is shown under its status."""
    source = PLATFORM if path == WEBHOOK else CALLERS
    responses = (await api.get(source)).json()["paths"][path][method]["responses"]
    shown = {
        code: example["value"]
        for status, response in responses.items()
        if status >= "400"
        for code, example in response["content"]["application/problem+json"]["examples"].items()
        if example["value"]["status"] == int(status)
    }
    assert set(shown) == codes
    assert all(value["code"] == code for code, value in shown.items())
