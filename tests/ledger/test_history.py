"""Units by slots, against the same slots read one by one; and what Stripe has accepted between cuts."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.history import read_history
from ledger.reading import AccountChangedError, NotReadyError, read_usage
from ledger.ready import ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, open_shard
from metering.account import Account
from metering.meters import CATALOGUE
from metering.span import DAY_SECONDS, span_of
from tests.ledger.folding import fold
from tests.ledger.reference import ACCOUNTS
from tests.ledger.test_reading import ready, tell
from tests.metering.events import NOON, NOON_MS, Record, event

ACME = ACCOUNTS[0]
HOUR = NOON // 3600
CUTS = (NOON - DAY_SECONDS, NOON, NOON + DAY_SECONDS)
ZEROS = (0,) * len(CATALOGUE)


async def push_log_ready(shard: Shard) -> None:
    """Marks an empty push log as folded."""
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="one")
    await mark_ready(shard, ReadyMark.PUSHES, await note_server(shard), {Log.PUSHES: 0}, as_of_ms=1)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    times=st.lists(st.tuples(st.integers(0, 33 * 24 - 1), st.sampled_from(CATALOGUE), st.integers(1, 9)), max_size=15),
    slots=st.lists(st.tuples(st.integers(0, 34 * 24), st.integers(0, 200)), max_size=5),
)
async def test_a_slot_is_what_would_be_read_alone(new_shard: Callable[[], Shard], times, slots) -> None:
    """Given any usage and any slots, overlapping, empty, within a day or over months."""
    shard = new_shard()
    records = [
        Record(at, event(id=str(at), subject=ACME, type=meter.name, time=(HOUR - back) * 3600, quantity=units))
        for at, (back, meter, units) in enumerate(times)
    ]
    if records:
        await fold(shard, *records)
    await ready(shard)
    spans = [span_of(range(HOUR - back, HOUR - back + hours)) for back, hours in slots]

    history = await read_history(shard, ACME, b"", spans, CUTS)

    assert history.units == tuple([(await read_usage(shard, ACME, b"", span)).units for span in spans])
    assert history.as_of_ms == NOON_MS


async def test_accepted_units_lie_between_cuts(shard: Shard, client: Redis) -> None:
    """By meter and minute, over all customers; what lies outside of all cuts, or of no known meter, counts nowhere."""
    await ready(shard)
    minutes = {NOON - 60: 1, NOON: 2, NOON + 60: 4, NOON - DAY_SECONDS: 8, NOON - DAY_SECONDS - 60: 16}
    for second, units in minutes.items():
        name = shard.keys.accepted(ACME, second // DAY_SECONDS)
        for customer in ("cus_1", "cus_2|odd"):
            await client.hincrby(name, f"0|{second // 60}|{customer}", units)
        await client.hincrby(name, f"5|{second // 60}|cus_1", units * 100)
        await client.hincrby(name, f"77|{second // 60}|cus_1", units)
        await client.hincrby(name, f"c|0|{second // 60}", units)
        await client.hincrby(name, "something else", units)
    await client.hincrby(shard.keys.accepted(ACME, CUTS[-1] // DAY_SECONDS), f"0|{CUTS[-1] // 60}|cus_1", 32)

    history = await read_history(shard, ACME, b"", [], CUTS)
    assert (history.accepted, history.carried) == (None, None)
    await push_log_ready(shard)
    history = await read_history(shard, ACME, b"", [], CUTS)

    assert history.accepted == ((18, 0, 0, 0, 0, 900), (12, 0, 0, 0, 0, 600))
    assert history.carried == ((9, 0, 0, 0, 0, 0), (6, 0, 0, 0, 0, 0))
    assert history.units == ()


async def test_nothing_is_read_from_a_shard_that_is_not_ready(shard: Shard) -> None:
    """It could be less than what was shown before."""
    await push_log_ready(shard)
    with pytest.raises(NotReadyError):
        await read_history(shard, ACME, b"", [], CUTS)


async def test_history_is_told_for_the_record_that_it_was_drawn_from(shard: Shard) -> None:
    """Any other record draws other slots."""
    record = Account(anchor=NOON).to_json()
    await tell(shard, Log.ACCOUNTS, ACME, record)
    await ready(shard)
    with pytest.raises(AccountChangedError) as changed:
        await read_history(shard, ACME, b"", [], CUTS)
    assert changed.value.record == record
    await push_log_ready(shard)
    assert (await read_history(shard, ACME, record, [], CUTS)).accepted == (ZEROS, ZEROS)
