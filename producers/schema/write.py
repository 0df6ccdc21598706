"""`.venv/bin/python producers/schema/write.py`: writes the event's documents anew, from the model that reads events."""

import json
from pathlib import Path
from typing import Any

from metering.event_schema import asyncapi, json_schema

HERE = Path(__file__).parent
DOCUMENTS = {"usage-event.schema.json": json_schema, "asyncapi.json": asyncapi}


def text(document: dict[str, Any]) -> str:
    """Returns a document as the text of its file."""
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    for name, make in DOCUMENTS.items():
        (HERE / name).write_text(text(make()), encoding="utf-8")
