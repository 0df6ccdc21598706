"""/openapi.json: what client generators are told."""

import httpx
import pytest

from metering.meters import CATALOGUE
from tests.api.calling import PORTAL, USAGE


async def test_the_two_endpoints_are_described(api: httpx.AsyncClient) -> None:
    """Given the description, it has the two endpoints, the key, and no process internals."""
    description = (await api.get("/openapi.json")).json()
    assert set(description["paths"]) == {USAGE, PORTAL}
    assert description["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    for path in (USAGE, PORTAL):
        assert description["paths"][path]["get"]["security"] == [{"ApiKey": []}]


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


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        (USAGE, {"missing_api_key", "malformed_api_key", "invalid_api_key", "not_ready", "store_unavailable"}),
        (
            PORTAL,
            {"missing_api_key", "malformed_api_key", "invalid_api_key", "not_ready", "store_unavailable"}
            | {"no_stripe_customer", "portal_not_configured", "stripe_unavailable"},
        ),
    ],
)
async def test_every_problem_has_an_example(api: httpx.AsyncClient, path: str, codes: set[str]) -> None:
    """Given an endpoint, each problem that it may answer with is shown under its status."""
    responses = (await api.get("/openapi.json")).json()["paths"][path]["get"]["responses"]
    shown = {
        code: example["value"]
        for status, response in responses.items()
        if status >= "400"
        for code, example in response["content"]["application/problem+json"]["examples"].items()
        if example["value"]["status"] == int(status)
    }
    assert set(shown) == codes
    assert all(value["code"] == code for code, value in shown.items())
