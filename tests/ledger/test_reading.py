"""What readers are told: exact sums over any span, one moment's view, and nothing by a shard that is not ready."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.reading import (
    AccountChangedError,
    NotReadyError,
    Totals,
    find_account,
    find_key,
    parse_account,
    read_usage,
)
from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from ledger.tables import TableBatch, fold_table
from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.meters import CATALOGUE
from metering.period import hours_of, period_containing
from metering.rfc3339 import from_unix
from metering.span import Span, span_of
from tests.ledger.folding import Folder, fold
from tests.ledger.reference import ACCOUNTS, METERS
from tests.metering.events import NOON, NOON_MS, Record, event

ACME = ACCOUNTS[0]
HOUR = NOON // 3600
FOLDED = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
EMPTY = Span((), ())


async def ready(shard: Shard, as_of_ms: int = NOON_MS) -> None:
    """Opens what was not opened and marks the shard ready as it stands."""
    for log in FOLDED:
        state = await open_shard(shard, log, earliest=0, incarnation="one")
    ends = {log: state.fences[log] for log in FOLDED}
    marked = await mark_ready(shard, ReadyMark.USAGE, await note_server(shard), ends, as_of_ms=as_of_ms)
    assert marked is Readiness.READY


async def tell(shard: Shard, log: Log, name: str, value: bytes | None) -> None:
    """Folds a record of a table."""
    at = (await open_shard(shard, log, earliest=0, incarnation="one")).fences[log]
    assert (await fold_table(shard, log, TableBatch(at, at + 1, {name: value}, None))).applied


async def test_nothing_is_read_from_a_shard_that_is_not_ready(shard: Shard) -> None:
    """Neither keys nor accounts nor usage: each could be less than what was shown before."""
    await fold(shard, Record(0, event(subject=ACME)))

    for question in (find_key(shard, "k"), find_account(shard, ACME), read_usage(shard, ACME, b"", EMPTY)):
        with pytest.raises(NotReadyError):
            await question


async def test_an_account_without_usage_reads_six_zeros(shard: Shard) -> None:
    """Whether it exists or not; with the moment up to which that is known."""
    await ready(shard, as_of_ms=NOON_MS + 5)

    assert await read_usage(shard, "nobody", b"", span_of(range(HOUR - 1000, HOUR))) == Totals((0,) * 6, NOON_MS + 5)
    assert await read_usage(shard, "nobody", b"", EMPTY) == Totals((0,) * 6, NOON_MS + 5)


async def test_usage_is_told_for_the_record_that_the_span_was_drawn_from(shard: Shard) -> None:
    """Any other record draws another period: the reader is given today's and asks again."""
    old, new = Account(anchor=NOON).to_json(), Account(anchor=NOON + 3600).to_json()
    await tell(shard, Log.ACCOUNTS, ACME, old)
    await ready(shard)
    assert (await read_usage(shard, ACME, old, EMPTY)).units == (0,) * 6

    await tell(shard, Log.ACCOUNTS, ACME, new)

    for stale in (old, b""):
        with pytest.raises(AccountChangedError) as changed:
            await read_usage(shard, ACME, stale, EMPTY)
        assert changed.value.record == new
    assert (await read_usage(shard, ACME, new, EMPTY)).units == (0,) * 6


async def test_an_account_that_was_removed_has_changed(shard: Shard) -> None:
    """To no record at all."""
    await tell(shard, Log.ACCOUNTS, ACME, b"{}")
    await tell(shard, Log.ACCOUNTS, ACME, None)
    await ready(shard)

    with pytest.raises(AccountChangedError) as changed:
        await read_usage(shard, ACME, b"{}", EMPTY)
    assert changed.value.record == b""
    assert await find_account(shard, ACME) == b""
    assert parse_account(b"") == Account()


async def test_keys_are_found_until_they_are_revoked(shard: Shard) -> None:
    """A tombstone makes a key unknown; a hash nobody issued always was."""
    record = ApiKeyRecord(account=ACME, label="ci", created=7)
    await tell(shard, Log.API_KEYS, "hash", record.to_json())
    await ready(shard)

    assert await find_key(shard, "hash") == record
    assert await find_key(shard, "other") is None
    await tell(shard, Log.API_KEYS, "hash", None)
    assert await find_key(shard, "hash") is None


async def test_accounts_are_found_as_their_log_has_them(shard: Shard) -> None:
    """Byte by byte: the reader compares."""
    await tell(shard, Log.ACCOUNTS, ACME, b'{ "anchor": 0 }')
    await ready(shard)

    assert await find_account(shard, ACME) == b'{ "anchor": 0 }'
    assert parse_account(await find_account(shard, ACME)) == Account(anchor=0)


def used(offset: int, hour: int, meter: int, quantity: int, account: str) -> Record:
    """An event of an hour, counted from `HOUR`."""
    time = from_unix((HOUR + hour) * 3600)
    value = event(id=str(offset), type=METERS[meter], subject=account, time=time, data={"quantity": quantity})
    return Record(offset, value)


USES = st.lists(
    st.tuples(st.integers(-34 * 24, 0), st.integers(0, 5), st.sampled_from([1, 7, 10**9]), st.sampled_from(ACCOUNTS)),
    max_size=25,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(uses=USES, spans=st.lists(st.tuples(st.integers(-40 * 24, 48), st.integers(0, 45 * 24)), min_size=1, max_size=6))
async def test_a_span_sums_exactly_the_buckets_in_it(
    client: Redis, new_shard: Callable[[], Shard], uses, spans
) -> None:
    """However it lies across hours, days and months; of this account alone."""
    shard, records = new_shard(), [used(offset, *use) for offset, use in enumerate(uses)]
    folder = Folder(shard)
    await folder.open()
    await folder.apply(records, 0, len(records))
    await ready(shard)

    for first, length in spans:
        hours = range(HOUR + first, HOUR + first + length)
        expected = [
            sum(q for h, m, q, account in uses if account == ACME and m == meter.index and HOUR + h in hours)
            for meter in CATALOGUE
        ]
        assert list((await read_usage(shard, ACME, b"", span_of(hours))).units) == expected


async def test_consecutive_periods_add_up_to_everything(shard: Shard) -> None:
    """With an anchor on the 31st, off the hour."""
    anchor = 1_769_856_330  # 2026-01-31T10:45:30Z
    hours = range(HOUR - 33 * 24, HOUR, 7)
    records = [
        Record(n, event(id=str(n), subject=ACME, time=from_unix(hour * 3600), data={"quantity": 10**n % 999 + 1}))
        for n, hour in enumerate(hours)
    ]
    await fold(shard, *records)
    await ready(shard)

    now, sums = NOON - 33 * 86_400, 0
    while now < NOON + 40 * 86_400:
        period = period_containing(now, anchor)
        sums += (await read_usage(shard, ACME, b"", span_of(hours_of(period, None)))).units[0]
        now = period.end

    assert sums == sum(10**n % 999 + 1 for n in range(len(records)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    uses=USES,
    cuts=st.sets(st.integers(0, 25)),
    spans=st.lists(st.tuples(st.integers(-40 * 24, 0), st.integers(0, 900)), max_size=4),
)
async def test_what_was_read_before_changes_no_answer(new_shard: Callable[[], Shard], uses, cuts, spans) -> None:
    """Whoever has the last totals is told the same as whoever asks for the first time, after every batch."""
    shard = new_shard()
    folder, records = Folder(shard), [used(offset, *use) for offset, use in enumerate(uses)]
    await folder.open()
    await ready(shard)
    asked = [span_of(range(HOUR + first, HOUR + first + length)) for first, length in spans]
    known: dict[Span, Totals] = {}
    ends = sorted({cut for cut in cuts if cut < len(records)} | {len(records)})
    for start, end in pairwise([0, *ends]):
        if start < end:
            await folder.apply(records[start:end], start, end)
        for span in asked:
            known[span] = await read_usage(shard, ACME, b"", span, known.get(span))
            assert known[span] == await read_usage(shard, ACME, b"", span)


async def test_units_are_summed_up_again_only_after_a_change(client: Redis, shard: Shard) -> None:
    """Other accounts, other months and duplicates are no change; a shard that was folded anew is."""
    ours, elsewhere, today = used(0, -1, 0, 5, ACME), ACCOUNTS[1], span_of(range(HOUR - 24, HOUR + 1))
    await fold(shard, ours)
    await ready(shard)
    first = await read_usage(shard, ACME, b"", today)
    await client.hincrby(shard.keys.hours(ACME, (HOUR - 1) // 24), (HOUR - 1) % 24, 1)  # nobody does: it shows

    await fold(shard, used(1, -1, 0, 7, elsewhere), used(2, -33 * 24, 0, 7, ACME), replace(ours, offset=3))
    await ready(shard, as_of_ms=NOON_MS + 9)
    same = await read_usage(shard, ACME, b"", today, first)
    assert (same, same.version) == (Totals((5, 0, 0, 0, 0, 0), NOON_MS + 9), first.version)

    await client.hset(shard.keys.fences, "incarnation", "another")
    assert (await read_usage(shard, ACME, b"", today, first)).units == (6, 0, 0, 0, 0, 0)
    await client.hset(shard.keys.fences, "incarnation", "one")
    await fold(shard, used(4, -1, 0, 7, ACME))
    assert (await read_usage(shard, ACME, b"", today, first)).units == (13, 0, 0, 0, 0, 0)


async def test_totals_are_whole_numbers_of_any_size(client: Redis, shard: Shard) -> None:
    """Never an exponent."""
    await fold(shard, Record(0, event(subject=ACME, data={"quantity": 5})))
    await client.hincrby(shard.keys.hours(ACME, HOUR // 24), HOUR % 24, 2**52)
    await ready(shard)

    assert (await read_usage(shard, ACME, b"", span_of(range(HOUR, HOUR + 1)))).units[0] == 2**52 + 5
    assert (await read_state(shard)).as_of_ms == NOON_MS
