"""The usage event as JSON Schema and AsyncAPI documents, for people who publish without our library.

They say what an event's attributes must be. No schema says what depends on the clock (`time`) or on the whole of `data`
(numbers without a `quantity`); docs/publishing/event.md does.
"""

from typing import Any

from pydantic import TypeAdapter

from metering import limits
from metering.event import _Envelope
from metering.meters import CATALOGUE

TOPIC = "usage.events"
CONTENT_TYPE = "application/cloudevents+json"
_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_MEANINGS = {
    "specversion": "CloudEvents' version.",
    "id": "The action's own id, unique within source; with source, type and subject the event's identity.",
    "source": "The service that saw the action, such as /voice/eu-1.",
    "type": "The meter.",
    "subject": "The account that is billed; also the record's key.",
    "time": "When the action happened: at most 5 minutes after and 34 days before the record is appended.",
    "data": "Nothing for one unit, or an object with a quantity. Data that holds a number must have a quantity.",
    "data_base64": "The same object, as bytes; not beside data.",
}


def json_schema() -> dict[str, Any]:
    """The event in structured mode, in JSON Schema 2020-12, drawn from the model that events are read with."""
    drawn = TypeAdapter(_Envelope).json_schema()
    properties = drawn["properties"]
    for name, meaning in _MEANINGS.items():
        properties[name].pop("title", None)
        properties[name].pop("default", None)
        properties[name]["description"] = meaning
    properties["type"]["enum"] = [meter.name for meter in CATALOGUE]
    properties["time"]["format"] = "date-time"
    properties["data"] = {"description": _MEANINGS["data"], "type": ["object", "null"], "properties": _quantity()}
    properties["data_base64"]["type"] = ["string", "null"]
    return {
        "$schema": _SCHEMA,
        "title": "Usage event",
        "description": "One billable action: a CloudEvent (1.0) in structured JSON. Other attributes are allowed.",
        "type": "object",
        "properties": properties,
        "required": drawn["required"],
    }


def asyncapi() -> dict[str, Any]:
    """An AsyncAPI 3 document of the topic, from a producer's view."""
    payload = {name: part for name, part in json_schema().items() if name != "$schema"}
    key = {"type": "string", "pattern": limits.ACCOUNT_PATTERN, "description": "The account: the event's subject."}
    headers = {
        "type": "object",
        "properties": {"content-type": {"type": "string", "const": CONTENT_TYPE}},
        "required": ["content-type"],
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Usage events",
            "version": "1.0.0",
            "description": "Publish one event for each billable action, as often as you like: it counts once.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "usageEvents": {
                "address": TOPIC,
                "description": "Partitioned by murmur2 of the key, as Kafka's own client does.",
                "messages": {"usageEvent": {"$ref": "#/components/messages/usageEvent"}},
                "bindings": {"kafka": {"topic": TOPIC, "bindingVersion": "0.5.0"}},
            }
        },
        "operations": {
            "publishUsage": {
                "action": "send",
                "channel": {"$ref": "#/channels/usageEvents"},
                "messages": [{"$ref": "#/channels/usageEvents/messages/usageEvent"}],
            }
        },
        "components": {
            "messages": {
                "usageEvent": {
                    "name": "usageEvent",
                    "title": "Usage event",
                    "contentType": CONTENT_TYPE,
                    "headers": headers,
                    "payload": payload,
                    "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
                }
            }
        },
    }


def _quantity() -> dict[str, Any]:
    return {
        "quantity": {
            "description": "Units; 0 is told of and not billed. 5.0 is 5.",
            "type": "integer",
            "minimum": 0,
            "maximum": limits.MAX_QUANTITY,
        }
    }
