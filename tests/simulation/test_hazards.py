"""The troubles that only some seeds have: where the product is not made for one yet, that is noticed."""

import pytest

from tests.simulation.redis_server import RedisMachine
from tests.simulation.run import simulate
from tests.simulation.scenario import AWAITS, Hazard, Scenario

MOST_SEEDS = 30
FIRST_SEED = {Hazard.EVICTION: 30}  # a rare end: of those before none shows it


@pytest.mark.parametrize("hazard", AWAITS)
def test_what_the_product_lacks_is_noticed(machine: RedisMachine, hazard: Hazard) -> None:
    """Given a hazard that waits for its guard; then some seed ends in a violation."""
    scenario, first = Scenario(hazards=frozenset({hazard})), FIRST_SEED.get(hazard, 0)
    noticed = any(simulate(seed, machine, scenario).violation for seed in range(first, first + MOST_SEEDS))
    assert noticed, f"{MOST_SEEDS} seeds ended well under {hazard}: take it out of AWAITS"
