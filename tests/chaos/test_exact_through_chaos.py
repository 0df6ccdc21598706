"""The real stack through a short storm; `make chaos` has longer ones."""

from pathlib import Path

import pytest

from tests.chaos.run import unleash

SECONDS, SEED = 13.0, 9685  # every process and every kind of fault, with a Stripe worker that wakes up replaced


@pytest.mark.timeout(420)
def test_everything_is_exact_after_a_storm(tmp_path: Path) -> None:
    """Given load with poison in it, and every kind of fault, several at once: no unit is lost or billed twice."""
    outcome = unleash(tmp_path, SEED, SECONDS)

    assert not outcome.differences, str(outcome)
