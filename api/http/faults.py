"""Describes faulty parameters in the words of the API's documents, not in those of pydantic."""

from collections.abc import Iterable, Mapping
from typing import Any


def tell(faults: Iterable[Mapping[str, Any]]) -> str:
    """Returns one sentence about all faults. The faults are pydantic's: a type, a location and a context."""
    return f"{'; '.join(dict.fromkeys(map(_tell_one, faults)))}."


def _tell_one(fault: Mapping[str, Any]) -> str:
    name = next((str(part) for part in fault["loc"][1:]), "the request")
    context = fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return f"{name} is missing"
        case "value_error":
            return f"{name}: {context['error']}"
        case "too_long":
            return f"{name} may be given {context['max_length']} times at most"
        case kind if kind.startswith("date"):
            return f"{name} is not a day of the calendar"
        case _:
            return f"{name} can't be read"
