"""A schedule is its seed's, and nothing in it outlives its time."""

from tests.chaos.schedule import AGGREGATORS, KAFKA, REDIS, STRIPE, STRIPE_WORKERS, Action, draw_faults
from tests.chaos.test_exact_through_chaos import SECONDS, SEED

SERVICES = {*AGGREGATORS, *STRIPE_WORKERS, REDIS, KAFKA, STRIPE}
SESSION_SECONDS = 10.0


def test_a_seed_gives_one_schedule() -> None:
    """Given a seed, the schedule is always the same; another seed has another."""
    assert draw_faults(7, 60) == draw_faults(7, 60) != draw_faults(8, 60)


def test_faults_are_over_in_time() -> None:
    """Given any seed, faults come in order, some at once, and no freeze outlasts the schedule."""
    for seed in range(50):
        faults = draw_faults(seed, 60)
        moments = [fault.at for fault in faults]
        assert moments == sorted(moments)
        assert len(set(moments)) < len(moments)
        assert all(fault.at + (fault.seconds if fault.action is Action.FREEZE else 0) <= 60 for fault in faults)


def test_the_short_storm_has_everything() -> None:
    """Given the seed of the short storm, every process is struck, in every way, and a zombie wakes up."""
    faults = draw_faults(SEED, SECONDS)
    zombies = [fault for fault in faults if fault.action is Action.FREEZE and fault.seconds > SESSION_SECONDS]

    assert {fault.target for fault in faults} == SERVICES
    assert {fault.action for fault in faults} == set(Action)
    assert any(fault.target in STRIPE_WORKERS and not fault.dies for fault in zombies)
