"""What makes a description one that generators and readers can use: our rules, and OpenAPI's own."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis

REFERENCE = re.compile(r'"\$ref": ?"#/components/schemas/([^"]+)"')


@pytest.fixture(params=["/openapi.json", "/openapi-platform.json"])
async def source(api: httpx.AsyncClient, request: pytest.FixtureRequest) -> httpx.Response:
    """Each of the descriptions."""
    answer = await api.get(request.param)
    assert answer.headers["content-type"] == "application/json"
    return answer


def operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All of them."""
    for item in description["paths"].values():
        yield from item.values()


async def test_it_is_openapi(source: httpx.Response) -> None:
    """Given OpenAPI's own schema, the description is valid; it says what it is, under which licence, and where."""
    schemathesis.openapi.from_dict(source.json()).validate()
    assert source.json()["openapi"].startswith("3.1")
    assert source.json()["servers"][0]["url"] == "/"
    assert source.json()["info"]["license"]["identifier"] == "MIT"


async def test_every_operation_has_what_a_generator_names_it_by(source: httpx.Response) -> None:
    """Given any operation: an id of its own, a tag that is described, words, whom it takes, and a way to be refused."""
    described = {tag["name"] for tag in source.json()["tags"] if tag["description"]}
    ids = [operation["operationId"] for operation in operations(source.json())]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z][A-Za-z]+", each) for each in ids)
    for operation in operations(source.json()):
        assert set(operation["tags"]) <= described
        assert operation["summary"]
        assert operation["description"]
        assert isinstance(operation["security"], list)
        assert any(status.startswith("4") for status in operation["responses"])


async def test_a_body_has_one_media_type(source: httpx.Response) -> None:
    """Given any body, it comes in one type: a generator makes one type of it."""
    for operation in operations(source.json()):
        for body in (operation.get("requestBody", {}), *operation["responses"].values()):
            assert len(body.get("content", {})) <= 1


async def test_problems_are_one_component(source: httpx.Response) -> None:
    """Given any error, its body is the component `Problem`; no component is there for nothing."""
    for operation in operations(source.json()):
        for status, response in operation["responses"].items():
            if status >= "400":
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    assert set(REFERENCE.findall(source.text)) == set(source.json()["components"]["schemas"])


async def test_no_property_has_the_name_of_its_type(source: httpx.Response) -> None:
    """Given a type, none of its properties is called like it: a generated constructor would hide one by the other."""
    for name, schema in source.json()["components"]["schemas"].items():
        assert name.lower() not in {each.lower() for each in schema.get("properties", {})}
