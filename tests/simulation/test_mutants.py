"""The simulation can fail: with any one guard taken out of the product it notices, within a few dozen seeds."""

import pytest

from tests.simulation import hazard_mutants  # noqa: F401 - enters them
from tests.simulation.mutants import MUTANTS, living
from tests.simulation.redis_server import RedisMachine
from tests.simulation.run import simulate

MOST_SEEDS = 60
FIRST = {
    "ready_ignores_the_incarnation": 48,
    "held_rows_are_not_checked": 20,
    "minutes_do_not_conflict": 18,
    "orders_do_not_wait": 13,
}
"""Where the search begins for those that few seeds notice; it goes through all of them nevertheless."""


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.timeout(600)
def test_a_missing_guard_is_noticed(machine: RedisMachine, name: str) -> None:
    """Given the product without one of its guards; then some seed ends in a violation."""
    first = FIRST.get(name, 0)
    with living(name) as scenario:
        noticed = any(simulate((first + more) % MOST_SEEDS, machine, scenario).violation for more in range(MOST_SEEDS))
    assert noticed, f"{MOST_SEEDS} seeds ended well although {name} (stories differ by PYTHONHASHSEED; make test has 0)"
