"""How Hypothesis runs in the tests; registered before the first module that has a property is imported."""

import os
from functools import cache

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "100"))
"""Of a property; `make test-fast` takes fewer: from an edit of a rule to red or green in seconds."""


@cache
def register() -> None:
    """Makes the tests' profile known and loads it."""
    # How long an example takes says how busy the machine is, not whether a property holds.
    settings.register_profile(
        "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=EXAMPLES
    )
    settings.load_profile("tests")
