"""Parts of the OpenAPI descriptions that the endpoints share."""

from enum import StrEnum
from typing import Any


class Tag(StrEnum):
    """The users of an endpoint; `api.reference.description` describes the tags."""

    USAGE = "Usage"
    PORTAL = "Portal"
    SESSIONS = "Sessions"
    PLATFORM = "Platform"


NOBODY: dict[str, Any] = {"security": []}
"""The endpoint takes no key."""
