"""Units beyond 2**53, where Lua's numbers are no longer exact: nothing that is counted or shown is off by one."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.history import read_history
from ledger.reading import read_usage
from ledger.shard import Shard
from metering.meters import CATALOGUE
from metering.rfc3339 import from_unix
from metering.span import DAY_SECONDS, span_of
from tests.ledger.folding import fold
from tests.ledger.reference import ACCOUNTS
from tests.ledger.stored import stored
from tests.ledger.test_history import push_log_ready
from tests.ledger.test_reading import ready
from tests.metering.events import NOON, Record, event

ACME = ACCOUNTS[0]
HOUR, DAY = NOON // 3600, NOON // DAY_SECONDS
EDGE = 2**53
EDGES = [EDGE - 3, EDGE - 2, EDGE - 1, EDGE, EDGE + 1, EDGE + 3, 2**60 + 1, 2**63 - 1 - 10**10]
Units = dict[tuple[int, int], int]
LARGE = st.one_of(st.sampled_from(EDGES), st.integers(0, 10**9), st.integers(0, 2**62))


def used(offset: int, quantity: int, hours_ago: int = 0) -> Record:
    """An event of `acme`."""
    time = from_unix(NOON - hours_ago * 3600)
    return Record(offset, event(id=str(offset), subject=ACME, time=time, data={"quantity": quantity}))


@pytest.mark.parametrize("held", EDGES)
@pytest.mark.parametrize("hours", [1, 3], ids=["one field", "several fields"])
async def test_a_batch_adds_exactly(client: Redis, shard: Shard, held: int, hours: int) -> None:
    """To hours, days and what is due, whichever way it adds."""
    await fold(shard, *(used(offset, 1, offset) for offset in range(hours)))
    for name, field in (
        (shard.keys.hours(ACME, DAY), NOON % DAY_SECONDS // 3600),
        (shard.keys.days(ACME, "202606"), 19),
        (shard.keys.due, f"{ACME}|0|{HOUR}"),
    ):
        await client.hset(name, str(field), held)

    await fold(shard, *(used(hours + offset, 10**9 - offset, offset) for offset in range(hours)))

    found = await stored(client, shard)
    assert found.hours[ACME, 0, HOUR] == found.due[f"{ACME}|0|{HOUR}"] == held + 10**9
    assert found.days[ACME, 0, "20260620"] == held + sum(10**9 - offset for offset in range(hours))
    others = [found.hours[ACME, 0, HOUR - offset] for offset in range(1, hours)]
    assert others == [10**9 + 1 - offset for offset in range(1, hours)]
    assert found.order == {f"{ACME}|0|{HOUR - offset}": HOUR - offset for offset in range(hours)}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    days=st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 29)), LARGE, max_size=40),
    accepted=st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 59)), LARGE, max_size=10),
)
@example(days={(0, 0): EDGE - 1, (0, 1): 1, (0, 2): 1}, accepted={(5, 0): EDGE, (5, 1): 1})
@example(days={(5, day): 2**63 - 1 for day in range(30)}, accepted={(0, n): 2**63 - 1 for n in range(60)})
@example(days={(m, 0): 10**9 * m for m in range(6)}, accepted={})
async def test_sums_are_exact(client: Redis, new_shard: Callable[[], Shard], days: Units, accepted: Units) -> None:
    """Of a period and of slots, and of what Stripe has accepted in them; a month may be 30 times the largest day."""
    shard = new_shard()
    await ready(shard)
    await push_log_ready(shard)
    month = shard.keys.days(ACME, "202606")
    for (meter, day), units in days.items():
        await client.hset(month, str(meter * 31 + day), units)
    for (meter, minute), units in accepted.items():
        await client.hset(shard.keys.accepted(ACME, DAY), f"{meter}|{NOON // 60 + minute}|cus_1", units)
        await client.hset(shard.keys.accepted(ACME, DAY), f"c|{meter}|{NOON // 60 + minute}", units)
    first = DAY - 19
    june = span_of(range(first * 24, (first + 30) * 24))
    halves = [span_of(range(first * 24, (first + 15) * 24)), span_of(range((first + 15) * 24, (first + 30) * 24))]

    usage = await read_usage(shard, ACME, b"", june)
    history = await read_history(shard, ACME, b"", halves, [NOON, NOON + DAY_SECONDS])

    def sums(fields: Units, first: int = 0, end: int = 99) -> tuple[int, ...]:
        return tuple(
            sum(units for (meter, at), units in fields.items() if meter == each.index and first <= at < end)
            for each in CATALOGUE
        )

    assert usage.units == sums(days)
    assert history.units == (sums(days, 0, 15), sums(days, 15, 30))
    assert history.accepted == history.carried == (sums(accepted),)
