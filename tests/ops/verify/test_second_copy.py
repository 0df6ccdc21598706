"""A second copy of the state, folded beside the first: complete, and written nowhere but in Redis."""

import pytest
from pydantic import ValidationError

from aggregator.settings import AggregatorSettings
from ledger.keys import ShardKeys
from ledger.ready import ReadyMark
from local.stack.settings import settings_of
from runtime.settings import CopySettings
from stripe_sync.settings import StripeSyncSettings
from tests.ops.installation import PARTITIONS, System
from tests.support.eventually import eventually

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
        eventually(lambda: _ready(system), 30, "the copy is ready")
        assert system.ends(*logs) == before
        assert system.counted_units(COPY) == system.counted_units()

        with system.traffic():
            from_log = system.billing("verify", "--redis-prefix", COPY)
        assert from_log.exit_code == 0, from_log.stdout + from_log.stderr

        system.expect_exact()
        from_copy = system.billing("verify", "--against", COPY)
        assert from_copy.exit_code == 0, from_copy.stdout + from_copy.stderr
        eventually(lambda: _totals(system, COPY) == _totals(system, ""), what="the copy has folded what was settled")

        key = next(system.redis.scan_iter(match=f"{COPY}{{p*}}u:*"))
        system.redis.hincrby(key, next(iter(system.redis.hkeys(key))), 1)
        assert system.billing("verify", "--against", COPY).exit_code == 1
        assert system.billing("verify").exit_code == 0
    finally:
        system.end("copy-aggregator", "copy-stripe")


@pytest.mark.parametrize("kind", [AggregatorSettings, StripeSyncSettings])
def test_a_copy_needs_a_prefix_of_its_own(kind: type[CopySettings]) -> None:
    """Among the first copy's workers, one that writes nothing would lose dead letters: refused at the start."""
    env = {"BILLING_NAMESPACE": "tests", "BILLING_FOLD_ONLY": "1"}

    with pytest.raises(ValidationError, match="BILLING_REDIS_PREFIX"):
        settings_of(kind, env)
    assert settings_of(kind, env | {"BILLING_REDIS_PREFIX": COPY}).fold_only


def test_a_copy_that_is_not_there_can_not_be_told_of(system: System) -> None:
    """Exit code 2: neither equal nor different."""
    done = system.billing("verify", "--redis-prefix", "nobody:")
    assert done.exit_code == 2
    assert "has no state" in done.stderr
    assert system.billing("verify", "--against", "nobody:").exit_code == 2
    assert system.billing("verify", "--against", "").exit_code == 2


def _totals(system: System, prefix: str) -> dict[str, int]:
    totals = system.status("--redis-prefix", prefix)["totals"]
    return {name: totals[name] for name in ("read", "dead", "rerouted", "due")}


def _ready(system: System) -> bool:
    marks = [system.redis.hmget(ShardKeys(COPY, shard).fences, *ReadyMark) for shard in range(PARTITIONS)]
    return all(mark is not None for both in marks for mark in both)
