"""The simulation can fail: with any one guard taken out of the product it notices, within a few dozen seeds."""

import pytest

from tests.simulation import hazard_mutants  # noqa: F401 - enters them
from tests.simulation.mutants import MUTANTS, living
from tests.simulation.redis_server import RedisMachine
from tests.simulation.run import simulate

MOST_SEEDS = 60


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.timeout(600)
def test_a_missing_guard_is_noticed(machine: RedisMachine, name: str) -> None:
    """Given the product without one of its guards; then some seed ends in a violation."""
    with living(name) as scenario:
        noticed = any(simulate(seed, machine, scenario).violation for seed in range(MOST_SEEDS))
    assert noticed, f"{MOST_SEEDS} seeds ended well although {name} (stories differ by PYTHONHASHSEED; make test has 0)"
