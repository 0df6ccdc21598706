"""A second copy of the state, folded beside the first: complete, and written nowhere but in Redis."""

import pytest

from tests.support.eventually import eventually

from .system import System

COPY = "copy:"


@pytest.mark.timeout(120)
def test_a_copy_is_folded_beside_the_first_and_writes_nothing(system: System) -> None:
    """No dead letter, no re-routed copy, no row: the logs end where they ended; and the copy is equal, live."""
    system.expect_exact()
    logs = (system.topics.dead_letters, system.topics.usage, system.topics.pushes)
    before = system.ends(*logs)
    system.start("copy-aggregator", "aggregator", BILLING_REDIS_PREFIX=COPY, BILLING_FOLD_ONLY="1")
    system.start(
        "copy-stripe",
        "stripe_sync",
        "--fold-only",
        BILLING_REDIS_PREFIX=COPY,
        BILLING_STRIPE_API_BASE="http://127.0.0.1:1",
    )
    try:
        eventually(lambda: system.billing("status", "--redis-prefix", COPY).returncode == 0, 30)
        assert system.ends(*logs) == before
        assert system.counted_units(COPY) == system.counted_units()

        with system.traffic():
            from_log = system.billing("verify", "--redis-prefix", COPY)
            from_copy = system.billing("verify", "--against", COPY)
        assert from_log.returncode == 0, from_log.stdout + from_log.stderr
        assert from_copy.returncode == 0, from_copy.stdout + from_copy.stderr

        system.expect_exact()
        both = [system.status("--redis-prefix", prefix)["totals"] for prefix in ("", COPY)]
        assert {name: both[0][name] for name in ("read", "dead", "rerouted", "due")} == {
            name: both[1][name] for name in ("read", "dead", "rerouted", "due")
        }

        key = next(system.redis.scan_iter(match=f"{COPY}{{p*}}t:*"))
        system.redis.hincrby(key, next(iter(system.redis.hkeys(key))), 1)
        assert system.billing("verify", "--against", COPY).returncode == 1
        assert system.billing("verify").returncode == 0
    finally:
        system.end("copy-aggregator", "copy-stripe")


def test_a_copy_needs_a_prefix_of_its_own(system: System) -> None:
    """Among the first copy's workers, one that writes nothing would lose dead letters: refused at the start."""
    for name, module in (("lost-aggregator", "aggregator"), ("lost-stripe", "stripe_sync")):
        system.start(name, module, BILLING_FOLD_ONLY="1")
        eventually(lambda name=name: not system.running()[name], what="the refusal")
        assert "BILLING_REDIS_PREFIX" in system.log(name)
        system.end(name)


def test_a_copy_that_is_not_there_can_not_be_told_of(system: System) -> None:
    """Exit code 2: neither equal nor different."""
    done = system.billing("verify", "--redis-prefix", "nobody:")
    assert done.returncode == 2
    assert "has no state" in done.stderr
    assert system.billing("verify", "--against", "nobody:").returncode == 2
    assert system.billing("verify", "--against", "").returncode == 2
