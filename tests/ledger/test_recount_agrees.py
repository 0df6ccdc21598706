"""`billing verify` counts by the rules that the fold counts by: whatever lies in a log, both say the same."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.shard import Shard
from ledger.state import read_state
from metering.origin import Origin, origin_headers
from metering.span import DAY_HOURS
from ops.verify.recount import Recount
from tests.ledger.folding import PARTITIONS, Folder
from tests.ledger.reference import append
from tests.ledger.stored import stored
from tests.ledger.test_usage_fold import STEPS
from tests.metering.events import NOON_MS

ORIGINS = st.sampled_from([None, None, 0, 60_000, 34 * 86_400_000, 36 * 86_400_000, -60_000])
"""How long before its own append time a record says that it was first appended (ms); None: it says nothing."""


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=30), data=st.data())
async def test_the_recount_of_any_log_is_what_the_fold_has_made_of_it(
    client: Redis, new_shard: Callable[[], Shard], steps, data
) -> None:
    """Late, early, repeated, foreign and re-routed records, copies that lie about their origin among them."""
    log, shard = append(steps, NOON_MS), new_shard()
    records = [entry.record for entry in log]
    for place, record in enumerate(records):
        before_ms = data.draw(ORIGINS)
        if before_ms is not None:
            origin = Origin("usage.events", shard.number + 1, 7, max(0, record.timestamp - before_ms))
            records[place] = replace(record, headers=tuple(origin_headers(origin)))
    folder, recount = Folder(shard), Recount(shard.number, PARTITIONS)
    await folder.open()
    if records:
        assert (await folder.apply(records, 0, records[-1].offset + 1)).applied
    for record in records:
        recount.take(record)
    assert (await read_state(shard)).conservation == recount.conservation()
    assert (await stored(client, shard)).hours == {
        (account, place // DAY_HOURS, day * DAY_HOURS + place % DAY_HOURS): units
        for (account, day), places in recount.hours.items()
        for place, units in places.items()
    }
