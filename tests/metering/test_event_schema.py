"""The event's documents say what the platform reads, and are the ones that are checked in."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.event import read_event
from metering.event_schema import asyncapi, json_schema
from metering.meters import CATALOGUE
from metering.rfc3339 import to_unix
from metering.usage_event import UsageEvent

SCHEMA = Path(__file__).parents[2] / "producers" / "schema"
TIME = "2026-11-22T17:00:00Z"
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "call-5f2",
    "source": "/voice",
    "type": "voice.outbound",
    "subject": "acct_1",
    "time": TIME,
    "data": {"quantity": 1},
}
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize(("name", "make"), [("usage-event.schema.json", json_schema), ("asyncapi.json", asyncapi)])
def test_the_checked_in_document_is_the_generated_one(name: str, make: Any) -> None:
    """Else: `.venv/bin/python producers/schema/write.py`."""
    assert json.loads((SCHEMA / name).read_text()) == make()


def test_the_schema_is_one() -> None:
    """Of JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(json_schema())


VALUES = st.sampled_from(
    [None, True, "", "1.0", "x", "a b", "a\tb", "i" * 257, 1, -1, 1.5, 5.0, 10**9 + 1, [], {}, "2026-11-22", TIME]
)
CHANGES = st.dictionaries(st.sampled_from([*EVENT, "traceparent"]), VALUES, max_size=2)
QUANTITIES = st.sampled_from([0, 1, 5.0, 10**9, 10**9 + 1, -1, 1.5, True, None, "1"])


@given(CHANGES, st.sets(st.sampled_from(list(EVENT)), max_size=1), QUANTITIES)
def test_the_schema_takes_what_the_platform_counts(changes: dict[str, Any], without: set[str], quantity: Any) -> None:
    """And nothing else."""
    event = EVENT | {"data": {"quantity": quantity}} | changes
    event = {name: value for name, value in event.items() if name not in without}

    counted = isinstance(read_event(json.dumps(event).encode(), to_unix(TIME) * 1000), UsageEvent)

    assert VALIDATOR.is_valid(event) == counted, event


@pytest.mark.parametrize("meter", [meter.name for meter in CATALOGUE])
def test_every_meter_is_in_the_schema(meter: str) -> None:
    """By its name."""
    assert VALIDATOR.is_valid(EVENT | {"type": meter})


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    """And its payload is the schema."""
    document = asyncapi()

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [each for value in part.values() for each in references(value)]
        return [each for value in part for each in references(value)] if isinstance(part, list) else []

    found = references(document)
    assert len(found) == 3
    for reference in found:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place
    payload = document["components"]["messages"]["usageEvent"]["payload"]
    assert payload["properties"] == json_schema()["properties"]
