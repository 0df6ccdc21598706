"""Words that the endpoints share to be described in OpenAPI."""

from enum import StrEnum
from typing import Any


class Tag(StrEnum):
    """Whom an endpoint is for; a tag's description stands in `api.reference.description`."""

    USAGE = "Usage"
    PORTAL = "Portal"
    SESSIONS = "Sessions"
    PLATFORM = "Platform"


NOBODY: dict[str, Any] = {"security": []}
"""It takes no key."""
