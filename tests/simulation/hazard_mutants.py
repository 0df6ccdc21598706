"""The guards against hazards, each taken out: what `mutants` does for the storm. Importing this enters them."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import ledger.ready
import ledger.tables
import ledger.usage
import stripe_sync.push_log.folder
from tests.simulation.mutants import STORMY, _script, mutant
from tests.simulation.scenario import Hazard, Scenario


def _under(hazard: Hazard) -> Scenario:
    return replace(STORMY, violence=0.05, disasters=("rebalance",), hazards=frozenset({hazard}))


@mutant(_under(Hazard.REDIS_CLOCK))
def what_is_counted_expires() -> Any:
    """Counters have a time to live, and Redis' clock is believed."""
    last = "return {'APPLIED', ARGV[2], hits}"
    return _script(ledger.usage, "_APPLY", (last, f"for k = 4, #KEYS do redis.call('EXPIRE', KEYS[k], 9e5) end {last}"))


@mutant(_under(Hazard.HELD_OFFSETS))
def as_of_runs_past_open_transactions() -> Any:
    """A shard is as fresh as the last stable offset."""
    return _script(ledger.ready, "_MARK", ("held = held or fence < tonumber(ARGV[a + 2])", ""))


@mutant(_under(Hazard.LOST_PUSHES))
def a_push_log_is_not_recognised() -> Any:
    """The last folded record is not looked at again."""
    return patch.object(stripe_sync.push_log.folder, "recognises", lambda *_: True)


@mutant(_under(Hazard.REVOKED_KEYS))
def old_tables_are_folded_on() -> Any:
    """A table is believed to know of what was removed, however old it is."""
    return patch.object(ledger.tables, "VOUCHED_SECONDS", 10**9)
