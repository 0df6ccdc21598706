"""Reads settings from a mapping of BILLING_* variables instead of this process's environment."""

from collections.abc import Mapping
from typing import TypeVar

from runtime.settings import Settings

PREFIX = "BILLING_"

S = TypeVar("S", bound=Settings)


def settings_of(kind: type[S], env: Mapping[str, str]) -> S:
    """Returns the settings that a process with these variables would have.

    Raises:
        pydantic.ValidationError: a setting refuses its value.
    """
    values = {name.removeprefix(PREFIX).lower(): value for name, value in env.items() if name.startswith(PREFIX)}
    return kind(**values)
