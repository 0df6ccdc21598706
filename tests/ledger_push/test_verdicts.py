"""What the fold of the push log answers, and what it leaves alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from ledger.answer import Verdict
from ledger.push_fold import fold_push
from ledger.pushes import read_accepted, read_in_flight, read_parked
from ledger.script import Script, Store
from ledger.shard import Shard
from ledger.state import Log, close_buckets, open_shard, read_state
from metering.outcome import ParkReason
from tests.ledger_push.counts import HOUR, NOON, Counts
from tests.ledger_push.rows import IDENTITY, delivered, name_of, parked, prepared, row

OPENED = 7
T1, T2 = 1_000, 2_000


async def opened(shard: Shard, counts: Counts, units: int = 10) -> None:
    """Ten units of sms.send of account `a` at noon, and a push log that begins at offset 7."""
    counts.use("a", "sms.send", units, NOON)
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=OPENED, incarnation="other")


async def state_of(shard: Shard) -> tuple[object, ...]:
    """What must not change when a record is not applied."""
    state = await read_state(shard)
    return state.fences, state.identity, await read_in_flight(shard), await read_parked(shard)


async def test_an_empty_shard_has_no_place_for_a_record(shard: Shard, counts: Counts) -> None:
    """EMPTY, with or without counts: the log's first offset must be read first."""
    assert (await fold_push(shard, prepared(row(0, 1)), 0, T1)).verdict is Verdict.EMPTY
    counts.use("a", "sms.send", 1, NOON)
    await counts.fold()
    assert (await fold_push(shard, prepared(row(0, 1)), 0, T1)).verdict is Verdict.EMPTY
    assert (await fold_push(shard, delivered(row(0, 1)), 0, T1)).verdict is Verdict.EMPTY


@pytest.mark.parametrize(("offset", "verdict"), [(OPENED - 1, Verdict.STALE), (OPENED + 1, Verdict.GAP)])
@pytest.mark.parametrize("make", [prepared, delivered, parked])
async def test_only_the_next_record_is_folded(
    shard: Shard, counts: Counts, make: Callable[..., object], offset: int, verdict: Verdict
) -> None:
    """An earlier offset is STALE, a later one a GAP; the answer says where the shard stands; nothing changes."""
    await opened(shard, counts)
    before = await state_of(shard)
    answer = await fold_push(shard, make(row(0, 1)), offset, T1)  # type: ignore[arg-type]
    assert (answer.verdict, answer.fence) == (verdict, OPENED)
    assert await state_of(shard) == before


@pytest.mark.parametrize("log", [Log.USAGE, Log.PUSHES])
async def test_rows_wait_until_it_is_decided_what_a_cut_log_closes(shard: Shard, counts: Counts, log: Log) -> None:
    """Whether its bucket is closed says what a row's claim is compared with; other records don't ask."""
    await open_shard(shard, log, earliest=OPENED, incarnation="first", may_be_cut=True)
    await open_shard(shard, Log.PUSHES, earliest=OPENED, incarnation="first")
    before = await state_of(shard)

    answer = await fold_push(shard, prepared(row(0, 1)), OPENED, T1)
    assert (answer.verdict, answer.fence) == (Verdict.WAIT, OPENED)
    assert await state_of(shard) == before

    await close_buckets(shard, "first", log, NOON // HOUR + 1)
    assert (await fold_push(shard, prepared(row(0, 1)), OPENED, T1)).verdict is Verdict.APPLIED


async def test_a_record_planned_on_a_larger_count_waits_for_it(shard: Shard, counts: Counts) -> None:
    """WAIT while the usage fence is behind the record's own, and nothing changes; then it is folded."""
    await opened(shard, counts)
    counts.use("a", "sms.send", 5, NOON)
    record = prepared(row(0, 15), usage_fence=2)
    before = await state_of(shard)
    assert (await fold_push(shard, record, OPENED, T1)).verdict is Verdict.WAIT
    assert await state_of(shard) == before

    await counts.fold()
    answer = await fold_push(shard, record, OPENED, T1)
    assert (answer.verdict, answer.fence, answer.value) == (Verdict.APPLIED, OPENED + 1, 1)


async def test_a_row_that_claims_more_than_was_counted_changes_nothing(shard: Shard, counts: Counts) -> None:
    """DIVERGED, even when the rows before it in the record are fine."""
    await opened(shard, counts)
    counts.use("a", "sms.send", 3, NOON + HOUR)
    await counts.fold()
    later = row(0, 3, hour=NOON // HOUR + 1, timestamp=NOON + HOUR)
    before = await state_of(shard)
    answer = await fold_push(shard, prepared(later, row(0, 11)), OPENED, T1)
    assert (answer.verdict, answer.fence) == (Verdict.DIVERGED, OPENED)
    assert await state_of(shard) == before


async def test_a_prepared_row_is_in_flight_until_it_is_settled(shard: Shard, counts: Counts) -> None:
    """In flight with its record's append time; then gone, and its units are accepted; its bucket is free again."""
    await opened(shard, counts)
    first = row(0, 10)
    answer = await fold_push(shard, prepared(first), OPENED, T1)
    assert (answer.fence, answer.value) == (OPENED + 1, 1)
    entry = (await read_in_flight(shard))[name_of(first)]
    assert (entry.row, entry.prepared_ms) == (first, T1)
    assert (await read_state(shard)).identity == IDENTITY.model_dump_json().encode()

    answer = await fold_push(shard, delivered(first), OPENED + 1, T2)
    assert (answer.fence, answer.value) == (OPENED + 2, 1)
    assert await read_in_flight(shard) == {}
    assert await read_parked(shard) == {}

    counts.use("a", "sms.send", 1, NOON)
    await counts.fold()
    assert (await fold_push(shard, prepared(row(10, 11)), OPENED + 2, T2)).value == 1


async def test_a_parked_row_keeps_its_bucket_and_minute(shard: Shard, counts: Counts) -> None:
    """It keeps its prepared time, reason and detail, and nothing else of its bucket or minute is accepted."""
    await opened(shard, counts)
    counts.use("b", "sms.send", 4, NOON)
    await counts.fold()
    first = row(0, 5)
    await fold_push(shard, prepared(first), OPENED, T1)
    await fold_push(shard, parked(first, reason=ParkReason.UNKNOWN_CUSTOMER), OPENED + 1, T2)
    waiting = (await read_parked(shard))[name_of(first)]
    assert (waiting.row, waiting.prepared_ms, waiting.parked_ms) == (first, T1, T2)
    assert (waiting.reason, waiting.detail) == (ParkReason.UNKNOWN_CUSTOMER, "no")

    same_bucket = row(5, 10, timestamp=NOON + 60)
    same_minute = row(0, 4, account="b", timestamp=NOON + 59)
    answer = await fold_push(shard, prepared(same_bucket, same_minute), OPENED + 2, T2)
    assert (answer.verdict, answer.value) == (Verdict.APPLIED, 0)
    other_customer = row(0, 4, account="b", customer="cus_2")
    assert (await fold_push(shard, prepared(other_customer), OPENED + 3, T2)).value == 1


async def test_settling_unknown_rows_changes_nothing_but_the_fence(shard: Shard, counts: Counts) -> None:
    """A second settlement, or one of a row that lost its race: the first word counts."""
    await opened(shard, counts)
    first = row(0, 10)
    await fold_push(shard, prepared(first), OPENED, T1)
    await fold_push(shard, delivered(first), OPENED + 1, T1)
    for offset, record in enumerate((delivered(first), parked(first), parked(row(3, 4))), OPENED + 2):
        answer = await fold_push(shard, record, offset, T2)
        assert (answer.verdict, answer.fence, answer.value) == (Verdict.APPLIED, offset + 1, 0)
    assert await read_parked(shard) == {}


async def test_of_two_planners_the_first_in_the_log_wins(shard: Shard, counts: Counts) -> None:
    """Both saw the same bucket; the second's row, larger or not, starts where the claim no longer stands."""
    await opened(shard, counts)
    assert (await fold_push(shard, prepared(row(0, 6)), OPENED, T1)).value == 1
    assert (await fold_push(shard, prepared(row(0, 10)), OPENED + 1, T1)).value == 0
    await fold_push(shard, delivered(row(0, 6)), OPENED + 2, T1)
    assert (await fold_push(shard, prepared(row(0, 10)), OPENED + 3, T1)).value == 0
    assert (await fold_push(shard, prepared(row(6, 10)), OPENED + 4, T1)).value == 1


async def test_one_record_may_not_hold_a_bucket_or_a_minute_twice(shard: Shard, counts: Counts) -> None:
    """Within a record the first row wins as well."""
    await opened(shard, counts)
    counts.use("b", "sms.send", 4, NOON)
    await counts.fold()
    rows = (row(0, 5), row(0, 10, timestamp=NOON + 60), row(0, 4, account="b"))
    assert (await fold_push(shard, prepared(*rows), OPENED, T1)).value == 1
    assert list(await read_in_flight(shard)) == [name_of(rows[0])]


async def test_the_base_of_a_summary_leaves_the_row_itself_out(shard: Shard, counts: Counts) -> None:
    """While a row is in flight the base is what other rows of its minute brought; afterwards there is none to ask."""
    await opened(shard, counts)
    first, second = row(0, 6), row(6, 10, timestamp=NOON + 30)
    await fold_push(shard, prepared(first), OPENED, T1)
    assert await read_accepted(shard, first, name_of(first)) == 0
    await fold_push(shard, delivered(first), OPENED + 1, T1)
    await fold_push(shard, prepared(second), OPENED + 2, T1)
    assert await read_accepted(shard, second, name_of(second)) == 6
    assert await read_accepted(shard, first, name_of(first)) is None


class InterruptedStore:
    """A store where something happens around the first run of a script."""

    def __init__(
        self, store: Store, script: str, before: Callable[[], Awaitable[None]], after: Callable[[], Awaitable[None]]
    ) -> None:
        self._store, self._script, self._before, self._after = store, script, before, after
        self._waiting = True

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Runs the script, with what happens before and after."""
        if not self._waiting or script.name != self._script:
            return await self._store.run(script, keys, args)
        self._waiting = False
        await self._before()
        reply = await self._store.run(script, keys, args)
        await self._after()
        return reply


async def test_a_settlement_is_never_folded_on_a_look_at_another_state(
    shard: Shard, counts: Counts, lose_everything: Callable[[], Awaitable[None]]
) -> None:
    """Whoever settles looks at the rows first: if the shard stood elsewhere at that moment, the look says nothing.

    Everything is lost right before the look, and folded again by somebody else right after it.
    """
    await opened(shard, counts)
    first = row(0, 10)
    await fold_push(shard, prepared(first), OPENED, T1)

    async def refold() -> None:
        await counts.fold()
        await open_shard(shard, Log.PUSHES, earliest=OPENED, incarnation="new")
        await fold_push(shard, prepared(first), OPENED, T1)

    interrupted = Shard(InterruptedStore(shard.store, "read_rows", lose_everything, refold), shard.keys)
    assert not (await fold_push(interrupted, delivered(first), OPENED + 1, T2)).applied
    assert (await fold_push(shard, delivered(first), OPENED + 1, T2)).value == 1


async def test_folding_at_once_applies_a_record_once(shard: Shard, counts: Counts) -> None:
    """Ten workers hold the same record: one applies it, the others hear STALE."""
    await opened(shard, counts)
    answers = await asyncio.gather(*(fold_push(shard, prepared(row(0, 10)), OPENED, T1) for _ in range(10)))
    assert sorted(answer.verdict for answer in answers) == [Verdict.APPLIED] + [Verdict.STALE] * 9
