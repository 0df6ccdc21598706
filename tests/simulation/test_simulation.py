"""The platform under every fault at once: whatever the seed, what is counted is shown and billed exactly."""

import pytest

from tests.simulation.redis_server import RedisMachine
from tests.simulation.run import simulate

SEEDS = 100  # `make simulate` has thousands
SEEDS_A_TEST = 10
REPLAYED = (3, 11)


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_every_seed_ends_exactly_right(machine: RedisMachine, first: int) -> None:
    """Given crashes, zombies, flushes, failovers, lost replies and leaping clocks; then all invariants hold."""
    for seed in range(first, first + SEEDS_A_TEST):
        outcome = simulate(seed, machine)
        assert outcome.violation is None, outcome.story()


@pytest.mark.parametrize("seed", REPLAYED)
def test_a_seed_replays_exactly(machine: RedisMachine, seed: int) -> None:
    """The same seed tells the same story, event by event: a failure can be looked at again."""
    first, second = simulate(seed, machine), simulate(seed, machine)
    assert first.trace.lines == second.trace.lines
    assert first.trace.digest() == second.trace.digest()
    assert len(first.trace.lines) > 100
